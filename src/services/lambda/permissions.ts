import type {
  AddPermissionCommandInput,
  GetPolicyCommandInput,
  RemovePermissionCommandInput,
} from '@aws-sdk/client-lambda';
import { ServiceError } from '../../base/errors.ts';
import type { Operation, RequestContext } from '../service.ts';
import { conflict, invalidParameter, notFound, preconditionFailed } from './errors.ts';
import { keys, LATEST, type PolicyRecord, type PolicyStatement } from './model.ts';
import { functionArn, parseFunctionName } from './names.ts';
import { type Room, requireQualifier } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Lambda quotas": function resource-based policy. */
const POLICY_LIMIT = 20 * 1024;

/** Source: Lambda Developer Guide, "Working with resource-based IAM policies in Lambda". */
export function permissionOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    AddPermission: (input: AddPermissionCommandInput, context) => addPermission(room, input, context),
    RemovePermission: (input: RemovePermissionCommandInput, context) => removePermission(room, input, context),
    GetPolicy: async (input: GetPolicyCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
      await requireQualifier(room.store, target);
      const policy = (await room.store.get<PolicyRecord>(keys.policy(target, target.name, target.qualifier ?? '')))
        ?.value;
      if (!policy) throw notFound('The resource you requested does not exist.');
      return { Policy: policyDocument(policy), RevisionId: policy.revisionId };
    },
  };
}

/** The policy as JSON, as GetPolicy and the evaluation of requests take it. */
export function policyDocument(policy: PolicyRecord): string {
  return JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: policy.statements });
}

async function addPermission(room: Room, input: AddPermissionCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  const constraints = new Constraints();
  constraints.length('statementId', input.StatementId, 1, 100);
  constraints.pattern('statementId', input.StatementId, /^[a-zA-Z0-9-_]+$/, '([a-zA-Z0-9-_]+)');
  constraints.pattern(
    'action',
    input.Action,
    /^(lambda:[*]|lambda:[a-zA-Z]+|[*])$/,
    '(lambda:[*]|lambda:[a-zA-Z]+|[*])',
  );
  constraints.pattern('sourceAccount', input.SourceAccount, /^\d{12}$/, '\\d{12}');
  constraints.pattern(
    'sourceArn',
    input.SourceArn,
    /^arn:[^:]+:[^:]+:[^:]*:[^:]*:.+$/,
    'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}(-gov)?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)',
  );
  constraints.pattern('principalOrgID', input.PrincipalOrgID, /^o-[a-z0-9]{10,32}$/, 'o-[a-z0-9]{10,32}');
  constraints.oneOf('functionUrlAuthType', input.FunctionUrlAuthType, ['NONE', 'AWS_IAM']);
  constraints.check();
  if (target.qualifier === LATEST) throw invalidParameter('We currently do not support adding policies for $LATEST.');
  if (input.FunctionUrlAuthType !== undefined && input.Action !== 'lambda:InvokeFunctionUrl') {
    throw invalidParameter('FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action');
  }
  const statement: PolicyStatement = {
    Sid: input.StatementId!,
    Effect: 'Allow',
    Principal: principalOf(input.Principal!),
    Action: input.Action!,
    Resource: functionArn(target, target.name, target.qualifier),
    ...conditionOf(input),
  };
  await room.store.transact(async (transaction) => {
    await requireQualifier(transaction, target);
    const key = keys.policy(target, target.name, target.qualifier ?? '');
    const before = (await transaction.get<PolicyRecord>(key))?.value;
    if (input.RevisionId !== undefined && input.RevisionId !== before?.revisionId) throw preconditionFailed();
    const statements = before?.statements ?? [];
    if (statements.some((other) => other.Sid === statement.Sid)) {
      throw conflict(
        `The statement id (${statement.Sid}) provided already exists. Please provide a new statement id, or remove the existing statement.`,
      );
    }
    const policy: PolicyRecord = { revisionId: room.random.uuid(), statements: [...statements, statement] };
    const size = Buffer.byteLength(policyDocument(policy));
    if (size > POLICY_LIMIT) {
      throw new ServiceError(
        'PolicyLengthExceededException',
        `The final policy size (${size}) is bigger than the limit (${POLICY_LIMIT}).`,
        { members: { Type: 'User' } },
      );
    }
    transaction.put(key, policy);
  });
  return { Statement: JSON.stringify(statement) };
}

async function removePermission(
  room: Room,
  input: RemovePermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  await room.store.transact(async (transaction) => {
    await requireQualifier(transaction, target);
    const key = keys.policy(target, target.name, target.qualifier ?? '');
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

/** Writes a principal as the policy language has it. Throws InvalidParameterValueException. */
export function principalOf(principal: string): PolicyStatement['Principal'] {
  if (principal === '*') return '*';
  if (/^\d{12}$/.test(principal)) return { AWS: `arn:aws:iam::${principal}:root` };
  if (/^arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+$/.test(principal)) return { AWS: principal };
  if (/^[a-z0-9.-]+\.amazonaws\.com$/.test(principal)) return { Service: principal };
  throw invalidParameter('The provided principal was invalid. Please check the principal and try again.');
}

function conditionOf(input: AddPermissionCommandInput): Pick<PolicyStatement, 'Condition'> {
  const equals = {
    ...(input.SourceAccount === undefined ? {} : { 'AWS:SourceAccount': input.SourceAccount }),
    ...(input.PrincipalOrgID === undefined ? {} : { 'aws:PrincipalOrgID': input.PrincipalOrgID }),
    ...(input.EventSourceToken === undefined ? {} : { 'lambda:EventSourceToken': input.EventSourceToken }),
    ...(input.FunctionUrlAuthType === undefined ? {} : { 'lambda:FunctionUrlAuthType': input.FunctionUrlAuthType }),
  };
  const condition = {
    ...(Object.keys(equals).length === 0 ? {} : { StringEquals: equals }),
    ...(input.SourceArn === undefined ? {} : { ArnLike: { 'AWS:SourceArn': input.SourceArn } }),
    ...(input.InvokedViaFunctionUrl === undefined
      ? {}
      : { Bool: { 'lambda:InvokedViaFunctionUrl': String(input.InvokedViaFunctionUrl) } }),
  };
  return Object.keys(condition).length === 0 ? {} : { Condition: condition };
}
