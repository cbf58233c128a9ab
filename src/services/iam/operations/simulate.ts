import type * as Sdk from '@aws-sdk/client-iam';
import { parseArn } from '../../../base/arn.ts';
import type { Principal, RequestContext } from '../../service.ts';
import { invalidInput, noSuchEntity, refuseMember } from '../errors.ts';
import { pageOf } from '../input.ts';
import { compilePolicy } from '../policy/compiled-policy.ts';
import { type ConditionContext, contextOf } from '../policy/context.ts';
import { evaluate, type NamedPolicy } from '../policy/evaluate.ts';
import type { PrincipalPolicyCache } from '../principal-policies.ts';
import { type EntityRecord, entityKey } from '../records.ts';
import type { IamState } from '../state.ts';

type SimulationInput = Omit<Sdk.SimulateCustomPolicyCommandInput, 'PolicyInputList'> & {
  readonly PolicyInputList?: string[] | undefined;
};

interface Subject {
  readonly principal: Pick<Principal, 'arn' | 'account' | 'roleArn' | 'userId'>;
  readonly identity: readonly NamedPolicy[];
  readonly boundary: NamedPolicy | undefined;
}

/** IAM API Reference, "SimulateCustomPolicy": the policies given, and no others. */
export async function simulateCustomPolicy(
  _state: IamState,
  input: Sdk.SimulateCustomPolicyCommandInput,
  { principal }: RequestContext,
) {
  const caller = input.CallerArn ?? principal.arn;
  return simulate(input, {
    principal: { arn: caller, account: parseArn(caller)?.account ?? principal.account, userId: principal.userId },
    identity: given(input.PolicyInputList),
    boundary: undefined,
  });
}

/** IAM API Reference, "SimulatePrincipalPolicy": what the user, group or role has, and what is given besides. */
export async function simulatePrincipalPolicy(
  state: IamState,
  input: Sdk.SimulatePrincipalPolicyCommandInput,
  { account }: RequestContext,
  cache: PrincipalPolicyCache,
) {
  const source = input.PolicySourceArn!;
  const match = /^arn:aws:iam::(\d{12}):(user|group|role)\/(?:.*\/)?([^/]+)$/.exec(source);
  if (!match || match[1] !== account) throw invalidInput(`Invalid Entity Arn: ${source}`);
  const [, , kind, name] = match as unknown as [string, string, 'user' | 'group' | 'role', string];
  const entity = (await state.store.get<EntityRecord>(entityKey(account, kind, name)))?.value;
  if (entity?.arn !== source) throw noSuchEntity(`The ${kind} with name ${name} cannot be found.`);
  const own =
    kind === 'group'
      ? await cache.loadGroup(account, entity)
      : await cache.load({
          type: kind === 'user' ? 'User' : 'AssumedRole',
          account,
          arn: source,
          userId: entity.id,
          accessKeyId: undefined,
          ...(kind === 'role' ? { roleArn: source } : {}),
        });
  return simulate(input, {
    principal: { arn: input.CallerArn ?? source, account, userId: entity.id },
    identity: [...own.identity, ...given(input.PolicyInputList)],
    boundary: own.boundary,
  });
}

function given(documents: readonly string[] | undefined): NamedPolicy[] {
  return (documents ?? []).map((document, index) => ({
    id: `PolicyInputList.${index + 1}`,
    policy: compilePolicy(document, 'identity'),
  }));
}

function simulate(input: SimulationInput, subject: Subject) {
  refuseMember(input.ResourceHandlingOption, 'ResourceHandlingOption', 'EC2 scenarios are not supported.');
  const actions = input.ActionNames ?? [];
  if (actions.length === 0) throw invalidInput('ActionNames must name at least one action.');
  for (const action of actions) {
    if (!/^[\w-]+:\w+$/.test(action)) throw invalidInput(`Invalid Action: ${action}`);
  }
  const boundaries = input.PermissionsBoundaryPolicyInputList ?? [];
  const boundary =
    boundaries[0] === undefined
      ? subject.boundary
      : { id: 'PermissionsBoundaryPolicyInputList.1', policy: compilePolicy(boundaries[0], 'identity') };
  const resourcePolicy =
    input.ResourcePolicy === undefined
      ? undefined
      : { id: 'ResourcePolicy', policy: compilePolicy(input.ResourcePolicy, 'resource') };
  const entries = Object.fromEntries(
    (input.ContextEntries ?? []).map(({ ContextKeyName: key = '', ContextKeyValues: values = [] }) => [key, values]),
  );
  const owner =
    input.ResourceOwner === undefined
      ? subject.principal.account
      : (parseArn(input.ResourceOwner)?.account ?? input.ResourceOwner);
  const pairs = actions.flatMap((action) => (input.ResourceArns ?? ['*']).map((resource) => ({ action, resource })));
  const { items, paging } = pageOf(
    pairs.map((pair, index) => ({ ...pair, order: String(index).padStart(8, '0') })),
    input,
    ({ order }) => order,
  );
  const EvaluationResults = items.map(({ action, resource }) => {
    const context = new RecordingContext(contextOf(entries));
    const { decision, matches } = evaluate({
      action,
      resource,
      context,
      principal: subject.principal,
      isRoot: false,
      identity: subject.identity,
      boundary,
      resourcePolicy,
      resourceAccount: owner,
    });
    return {
      EvalActionName: action,
      EvalResourceName: resource,
      EvalDecision: decision as Sdk.PolicyEvaluationDecisionType,
      MatchedStatements: matches.map(({ id }) => ({
        SourcePolicyId: id,
        SourcePolicyType: sourceType(id),
      })),
      MissingContextValues: [...context.missing],
      ...(boundary
        ? {
            PermissionsBoundaryDecisionDetail: {
              AllowedByPermissionsBoundary: allowedBy(boundary, action, resource, context),
            },
          }
        : {}),
    };
  });
  return { EvaluationResults, ...paging };
}

function allowedBy({ policy }: NamedPolicy, action: string, resource: string, context: ConditionContext): boolean {
  const matches = policy.match({ action, resource, context });
  return matches.some(({ effect }) => effect === 'Allow') && !matches.some(({ effect }) => effect === 'Deny');
}

function sourceType(id: string): Sdk.PolicySourceType {
  if (id.startsWith('arn:aws:iam::aws:')) return 'aws-managed' as Sdk.PolicySourceType;
  if (id.startsWith('arn:')) return 'user-managed' as Sdk.PolicySourceType;
  if (id === 'ResourcePolicy') return 'resource' as Sdk.PolicySourceType;
  return (id.startsWith('PolicyInputList') ? 'none' : 'IAM Policy') as Sdk.PolicySourceType;
}

/** Remembers which keys the policies asked for and did not get. */
class RecordingContext implements ConditionContext {
  readonly #inner: ConditionContext;
  readonly missing = new Set<string>();

  constructor(inner: ConditionContext) {
    this.#inner = inner;
  }

  values(key: string): readonly string[] | undefined {
    const values = this.#inner.values(key);
    if (values === undefined) this.missing.add(key);
    return values;
  }
}
