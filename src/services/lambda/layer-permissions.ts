import type {
  AddLayerVersionPermissionCommandInput,
  GetLayerVersionPolicyCommandInput,
  RemoveLayerVersionPermissionCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { conflict, invalidParameter, notFound, preconditionFailed } from './errors.ts';
import { layerName, requireLayerVersion } from './layers.ts';
import { keys, type PolicyRecord, type PolicyStatement } from './model.ts';
import { layerVersionArn } from './names.ts';
import { policyDocument, principalOf } from './permissions.ts';
import type { Room } from './room.ts';
import { Constraints } from './validation.ts';

/** Who else may use a layer version. Source: Lambda API Reference, "AddLayerVersionPermission". */
export function layerPermissionOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    AddLayerVersionPermission: (input: AddLayerVersionPermissionCommandInput, context) => add(room, input, context),
    RemoveLayerVersionPermission: (input: RemoveLayerVersionPermissionCommandInput, context) =>
      remove(room, input, context),
    GetLayerVersionPolicy: async (input: GetLayerVersionPolicyCommandInput, context) => {
      const name = layerName(input.LayerName, context);
      await requireLayerVersion(room, context, name, input.VersionNumber!);
      const policy = await room.store.get<PolicyRecord>(keys.layerPolicy(context, name, input.VersionNumber!));
      if (!policy) throw notFound('No policy is associated with the given resource.');
      return { Policy: policyDocument(policy.value), RevisionId: policy.value.revisionId };
    },
  };
}

async function add(room: Room, input: AddLayerVersionPermissionCommandInput, context: RequestContext) {
  const name = layerName(input.LayerName, context);
  const constraints = new Constraints();
  constraints.length('statementId', input.StatementId, 1, 100);
  constraints.pattern('statementId', input.StatementId, /^[a-zA-Z0-9-_]+$/, '([a-zA-Z0-9-_]+)');
  constraints.pattern('action', input.Action, /^lambda:GetLayerVersion$/, 'lambda:GetLayerVersion');
  constraints.pattern(
    'principal',
    input.Principal,
    /^(\d{12}|\*|arn:aws[a-zA-Z-]*:iam::\d{12}:root)$/,
    '\\d{12}|\\*|arn:(aws[a-zA-Z-]*):iam::\\d{12}:root',
  );
  constraints.check();
  if (input.OrganizationId !== undefined && input.Principal !== '*') {
    throw invalidParameter('OrganizationId is taken only with the principal *.');
  }
  await requireLayerVersion(room, context, name, input.VersionNumber!);
  const statement: PolicyStatement = {
    Sid: input.StatementId!,
    Effect: 'Allow',
    Principal: principalOf(input.Principal!),
    Action: input.Action!,
    Resource: layerVersionArn(context, name, input.VersionNumber!),
    ...(input.OrganizationId === undefined
      ? {}
      : { Condition: { StringEquals: { 'aws:PrincipalOrgID': input.OrganizationId } } }),
  };
  const policy = await room.store.transact(async (transaction) => {
    const key = keys.layerPolicy(context, name, input.VersionNumber!);
    const before = (await transaction.get<PolicyRecord>(key))?.value;
    if (input.RevisionId !== undefined && input.RevisionId !== before?.revisionId) throw preconditionFailed();
    if (before?.statements.some((other) => other.Sid === statement.Sid)) {
      throw conflict(
        `The statement id (${statement.Sid}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
      );
    }
    const next: PolicyRecord = {
      revisionId: room.random.uuid(),
      statements: [...(before?.statements ?? []), statement],
    };
    transaction.put(key, next);
    return next;
  });
  return { Statement: JSON.stringify(statement), RevisionId: policy.revisionId };
}

async function remove(
  room: Room,
  input: RemoveLayerVersionPermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = layerName(input.LayerName, context);
  await requireLayerVersion(room, context, name, input.VersionNumber!);
  await room.store.transact(async (transaction) => {
    const key = keys.layerPolicy(context, name, input.VersionNumber!);
    const before = (await transaction.get<PolicyRecord>(key))?.value;
    if (!before) throw notFound('No policy is associated with the given resource.');
    if (input.RevisionId !== undefined && input.RevisionId !== before.revisionId) throw preconditionFailed();
    const statements = before.statements.filter((statement) => statement.Sid !== input.StatementId);
    if (statements.length === before.statements.length) {
      throw notFound(`Statement ${input.StatementId} is not found in resource policy.`);
    }
    if (statements.length === 0) transaction.delete(key);
    else transaction.put(key, { revisionId: room.random.uuid(), statements } satisfies PolicyRecord);
  });
  return {};
}
