import type {
  ListRuleNamesByTargetCommandInput,
  ListRuleNamesByTargetCommandOutput,
  ListTargetsByRuleCommandInput,
  ListTargetsByRuleCommandOutput,
  PutTargetsCommandInput,
  PutTargetsCommandOutput,
  RemoveTargetsCommandInput,
  RemoveTargetsCommandOutput,
  RemoveTargetsResultEntry,
  Target,
} from '@aws-sdk/client-eventbridge';
import { parseArn } from '../../../base/arn.ts';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { invalidParameter, limitExceeded, ruleNotFound } from '../errors.ts';
import { listPage, readToken, writeToken } from '../paging.ts';
import { type RuleId, type RuleRecord, rulePrefix } from '../records.ts';
import { changeRule } from '../rule-changes.ts';
import { busOf, type EventBridgeState, requireBus } from '../state.ts';
import { checkTarget, checkTargetForms } from '../targets.ts';
import { requireRule } from './rules.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge User Guide, "Amazon EventBridge quotas": targets per rule. */
const MAXIMUM_TARGETS = 5;

export async function putTargets(
  state: EventBridgeState,
  input: PutTargetsCommandInput,
  context: RequestContext,
): Output<PutTargetsCommandOutput> {
  const id = ruleOf(input, context);
  const targets = input.Targets!;
  checkTargetForms(targets);
  for (const target of targets) checkTarget(target, id, state.delivery);
  await changeRule(state, id, async (transaction, existing) => {
    await requireBus(transaction, id);
    if (!existing) throw ruleNotFound(id.rule, id.bus);
    const byId = new Map<string, Target>(existing.targets.map((target) => [target.Id!, target]));
    for (const target of targets) byId.set(target.Id!, target);
    if (byId.size > MAXIMUM_TARGETS) throw limitExceeded();
    return { ...existing, targets: [...byId.values()] };
  });
  return { FailedEntries: [], FailedEntryCount: 0 };
}

export async function removeTargets(
  state: EventBridgeState,
  input: RemoveTargetsCommandInput,
  context: RequestContext,
): Output<RemoveTargetsCommandOutput> {
  const id = ruleOf(input, context);
  const ids = input.Ids!;
  new Constraints().count('ids', ids, 1, 100).check();
  let failed: RemoveTargetsResultEntry[] = [];
  await changeRule(state, id, async (transaction, existing) => {
    await requireBus(transaction, id);
    if (!existing) throw ruleNotFound(id.rule, id.bus);
    const present = new Set(existing.targets.map(({ Id }) => Id!));
    failed = ids
      .filter((target) => !present.has(target))
      .map((TargetId) => ({
        TargetId,
        ErrorCode: 'ResourceNotFoundException',
        ErrorMessage: `Target ${TargetId} does not exist on rule ${id.rule}.`,
      }));
    return { ...existing, targets: existing.targets.filter(({ Id }) => !ids.includes(Id!)) };
  });
  return { FailedEntries: failed, FailedEntryCount: failed.length };
}

export async function listTargetsByRule(
  state: EventBridgeState,
  input: ListTargetsByRuleCommandInput,
  context: RequestContext,
): Output<ListTargetsByRuleCommandOutput> {
  new Constraints().range('limit', input.Limit, 1, 100).check();
  const { value: rule } = await requireRule(state, ruleOf(input, context));
  const sorted = rule.targets.toSorted((a, b) => (a.Id! < b.Id! ? -1 : 1));
  const after = input.NextToken === undefined ? '' : readToken(input.NextToken);
  const rest = sorted.filter(({ Id }) => Id! > after);
  const Targets = rest.slice(0, input.Limit ?? 100);
  return { Targets, NextToken: rest.length > Targets.length ? writeToken(Targets.at(-1)!.Id!) : undefined };
}

export async function listRuleNamesByTarget(
  state: EventBridgeState,
  input: ListRuleNamesByTargetCommandInput,
  context: RequestContext,
): Output<ListRuleNamesByTargetCommandOutput> {
  const id = busOf(input.EventBusName, context);
  if (!parseArn(input.TargetArn!)) throw invalidParameter('TargetArn', 'Provided Arn is not in correct format.');
  await requireBus(state.store, id);
  const { items, NextToken } = await listPage<RuleRecord>(
    state.store,
    rulePrefix(id),
    { Limit: input.Limit, NextToken: input.NextToken },
    ({ targets }) => targets.some(({ Arn }) => Arn === input.TargetArn),
  );
  return { RuleNames: items.map(({ name }) => name), NextToken };
}

function ruleOf(
  input: { readonly Rule?: string | undefined; readonly EventBusName?: string | undefined },
  context: RequestContext,
): RuleId {
  new Constraints().name('rule', input.Rule, 64).check();
  return { ...busOf(input.EventBusName, context), rule: input.Rule! };
}
