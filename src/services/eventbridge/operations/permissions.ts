import type { PutPermissionCommandInput, RemovePermissionCommandInput } from '@aws-sdk/client-eventbridge';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { isObject } from '../envelope.ts';
import { invalid, invalidParameter, notFound } from '../errors.ts';
import { type BusId, type BusRecord, busArn, busKey } from '../records.ts';
import { busOf, type EventBridgeState, requireBus } from '../state.ts';

type Statement = Readonly<Record<string, unknown>>;

/** Characters. Source: EventBridge User Guide, "Amazon EventBridge quotas": event bus policy size. */
const MAXIMUM_POLICY = 10_240;

/** Source: API Reference, "PutPermission": a whole policy, or one statement that lets an account or organization send events. */
export async function putPermission(
  state: EventBridgeState,
  input: PutPermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = busOf(input.EventBusName, context);
  if (input.Policy !== undefined) {
    const { Action, Condition, Principal, StatementId } = input;
    if ([Action, Condition, Principal, StatementId].some((other) => other !== undefined)) {
      throw invalid('Policy cannot be given together with Action, Principal, StatementId or Condition.');
    }
    const statements = statementsOf(input.Policy, id);
    await change(state, id, () => ({ text: input.Policy!, statements }));
    return {};
  }
  const statement = statementOf(input, id);
  await change(state, id, (statements) => ({
    statements: [...statements.filter(({ Sid }) => Sid !== statement.Sid), statement],
  }));
  return {};
}

export async function removePermission(
  state: EventBridgeState,
  input: RemovePermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = busOf(input.EventBusName, context);
  const { RemoveAllPermissions: all = false, StatementId: sid } = input;
  if (!all && sid === undefined) throw invalidParameter('StatementId', 'StatementId is a required argument.');
  await change(state, id, (statements) => {
    if (all) return { statements: [] };
    const rest = statements.filter(({ Sid }) => Sid !== sid);
    if (rest.length === statements.length) throw notFound('Statement with the provided id does not exist.');
    return { statements: rest };
  });
  return {};
}

async function change(
  state: EventBridgeState,
  id: BusId,
  body: (statements: readonly Statement[]) => { readonly statements: readonly Statement[]; readonly text?: string },
): Promise<void> {
  await state.store.transact(async (transaction) => {
    const { policy: before, ...bus } = await requireBus(transaction, id);
    const { statements, text } = body(before === undefined ? [] : statementsIn(JSON.parse(before)));
    const policy = text ?? JSON.stringify({ Version: '2012-10-17', Statement: statements });
    if (policy.length > MAXIMUM_POLICY) {
      throw new ServiceError(
        'PolicyLengthExceededException',
        `The event bus policy is longer than ${MAXIMUM_POLICY} characters.`,
      );
    }
    const modifiedAt = state.clock.now();
    const changed: BusRecord = { ...bus, modifiedAt, ...(statements.length === 0 ? {} : { policy }) };
    transaction.put(busKey(id), changed);
  });
}

function statementOf({ Action, Condition, Principal, StatementId }: PutPermissionCommandInput, id: BusId): Statement {
  new Constraints()
    .length('statementId', StatementId, 1, 64)
    .pattern('statementId', StatementId, /^[a-zA-Z0-9-_]+$/, '[a-zA-Z0-9-_]+')
    .pattern('action', Action, /^events:[a-zA-Z]{1,57}$/, 'events:[a-zA-Z]+')
    .pattern('principal', Principal, /^(\d{12}|\*)$/, '(\\d{12}|\\*)')
    .check();
  for (const [name, value] of Object.entries({ Action, Principal, StatementId })) {
    if (value === undefined) throw invalidParameter(name, `${name} is a required argument.`);
  }
  if (Action !== 'events:PutEvents') throw invalid("Provided value in parameter 'action' is not supported.");
  if (Condition !== undefined) {
    if (Condition.Type !== 'StringEquals' || Condition.Key !== 'aws:PrincipalOrgID') {
      throw invalidParameter('Condition', 'the type is StringEquals and the key aws:PrincipalOrgID.');
    }
    if (Principal !== '*') throw invalidParameter('Principal', 'it is * when there is a condition.');
  }
  return {
    Sid: StatementId,
    Effect: 'Allow',
    Principal: Principal === '*' ? '*' : { AWS: `arn:aws:iam::${Principal}:root` },
    Action,
    Resource: busArn(id),
    ...(Condition === undefined ? {} : { Condition: { [Condition.Type!]: { [Condition.Key!]: Condition.Value } } }),
  };
}

/** The statements of a policy. Throws ValidationException when it is none. */
function statementsOf(text: string, id: BusId): readonly Statement[] {
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw invalidParameter('Policy', 'it is not JSON.');
  }
  const statements = statementsIn(policy);
  if (statements.length === 0) throw invalidParameter('Policy', 'it has no statements.');
  for (const { Action, Effect, Principal, NotPrincipal } of statements) {
    if (Effect !== 'Allow' && Effect !== 'Deny') throw invalidParameter('Policy', 'an Effect is Allow or Deny.');
    if (Principal === undefined && NotPrincipal === undefined) {
      throw invalidParameter('Policy', `a statement of the policy of ${busArn(id)} names no Principal.`);
    }
    const actions = [Action].flat();
    if (actions.some((action) => typeof action !== 'string' || !/^(events:.+|\*)$/.test(action))) {
      throw invalidParameter('Policy', 'an Action is one of events.');
    }
  }
  return statements;
}

function statementsIn(policy: unknown): readonly Statement[] {
  const given = isObject(policy) ? policy.Statement : undefined;
  return (Array.isArray(given) ? given : [given]).filter(isObject);
}
