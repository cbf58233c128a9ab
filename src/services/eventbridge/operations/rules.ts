import type {
  DeleteRuleCommandInput,
  DescribeRuleCommandInput,
  DescribeRuleCommandOutput,
  DisableRuleCommandInput,
  EnableRuleCommandInput,
  ListRulesCommandInput,
  ListRulesCommandOutput,
  PutRuleCommandInput,
  PutRuleCommandOutput,
} from '@aws-sdk/client-eventbridge';
import type { RequestContext } from '../../service.ts';
import { Constraints } from '../constraints.ts';
import { invalid, invalidParameter, limitExceeded, refused, ruleNotFound } from '../errors.ts';
import { listPage } from '../paging.ts';
import { checkPattern } from '../patterns.ts';
import { type BusId, DEFAULT_BUS, type RuleId, type RuleRecord, ruleArn, ruleKey, rulePrefix } from '../records.ts';
import { changeRule } from '../rule-changes.ts';
import { parseSchedule } from '../scheduled-rules.ts';
import { busOf, type EventBridgeState, requireBus } from '../state.ts';
import { tagsOf } from '../tags.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** AWS begins with 300 a bus and raises that on request. */
const MAXIMUM_RULES = 2000;

export async function putRule(
  state: EventBridgeState,
  input: PutRuleCommandInput,
  context: RequestContext,
): Output<PutRuleCommandOutput> {
  checkInput(input);
  const id: RuleId = { ...busOf(input.EventBusName, context), rule: input.Name! };
  const { EventPattern: pattern, ScheduleExpression: schedule } = input;
  if (!pattern && !schedule) throw invalid('Parameter(s) EventPattern or ScheduleExpression must be specified.');
  if (schedule) {
    if (id.bus !== DEFAULT_BUS) throw invalid('ScheduleExpression is supported only on the default event bus.');
    parseSchedule(schedule);
  }
  if (pattern) checkPattern(pattern);
  const tags = tagsOf(input.Tags);
  await changeRule(state, id, async (transaction, existing) => {
    await requireBus(transaction, id);
    if (!existing) {
      const rules = await transaction.range({ prefix: rulePrefix(id), limit: MAXIMUM_RULES });
      if (rules.length >= MAXIMUM_RULES) throw limitExceeded();
    }
    return {
      name: id.rule,
      bus: id.bus,
      pattern: pattern || undefined,
      schedule: schedule || undefined,
      state: (input.State ?? 'ENABLED') as RuleRecord['state'],
      description: input.Description || undefined,
      roleArn: input.RoleArn || undefined,
      targets: existing?.targets ?? [],
      // Tags of a rule that is there are not touched. Source: API Reference, "PutRule".
      tags: existing?.tags ?? tags,
      anchor: existing && existing.schedule === schedule ? existing.anchor : state.clock.now(),
    };
  });
  return { RuleArn: ruleArn(id) };
}

export async function describeRule(
  state: EventBridgeState,
  input: DescribeRuleCommandInput,
  context: RequestContext,
): Output<DescribeRuleCommandOutput> {
  const id = ruleOf(input, context);
  const { value } = await requireRule(state, id);
  return { ...summary(id, value), CreatedBy: id.account };
}

export async function listRules(
  state: EventBridgeState,
  input: ListRulesCommandInput,
  context: RequestContext,
): Output<ListRulesCommandOutput> {
  new Constraints().name('namePrefix', input.NamePrefix, 64).check();
  const id = busOf(input.EventBusName, context);
  await requireBus(state.store, id);
  const { items, NextToken } = await listPage<RuleRecord>(state.store, rulePrefix(id), input);
  return { Rules: items.map((rule) => summary({ ...id, rule: rule.name }, rule)), NextToken };
}

export async function deleteRule(
  state: EventBridgeState,
  input: DeleteRuleCommandInput,
  context: RequestContext,
): Promise<object> {
  const id = ruleOf(input, context);
  await changeRule(state, id, async (transaction, existing) => {
    await requireBus(transaction, id);
    if (existing && existing.targets.length > 0) throw invalid("Rule can't be deleted since it has targets.");
    return undefined;
  });
  return {};
}

export async function enableRule(
  state: EventBridgeState,
  input: EnableRuleCommandInput,
  context: RequestContext,
): Promise<object> {
  await setState(state, ruleOf(input, context), 'ENABLED');
  return {};
}

export async function disableRule(
  state: EventBridgeState,
  input: DisableRuleCommandInput,
  context: RequestContext,
): Promise<object> {
  await setState(state, ruleOf(input, context), 'DISABLED');
  return {};
}

/** The rule that a request names. */
export function ruleOf(
  input: { readonly Name?: string | undefined; readonly EventBusName?: string | undefined },
  context: RequestContext,
): RuleId {
  new Constraints().name('name', input.Name, 64).check();
  return { ...busOf(input.EventBusName, context), rule: input.Name! };
}

/** Throws ResourceNotFoundException. */
export async function requireRule(state: EventBridgeState, id: RuleId) {
  await requireBus(state.store, id);
  const entry = await state.store.get<RuleRecord>(ruleKey(id));
  if (!entry) throw ruleNotFound(id.rule, id.bus);
  return entry;
}

async function setState(state: EventBridgeState, id: RuleId, wanted: RuleRecord['state']): Promise<void> {
  await changeRule(state, id, async (transaction, existing) => {
    await requireBus(transaction, id);
    if (!existing) throw ruleNotFound(id.rule, id.bus);
    return { ...existing, state: wanted };
  });
}

function checkInput(input: PutRuleCommandInput): void {
  new Constraints()
    .name('name', input.Name, 64)
    .length('scheduleExpression', input.ScheduleExpression, 0, 256)
    .length('description', input.Description, 0, 512)
    .length('roleArn', input.RoleArn, 1, 1600)
    .oneOf('state', input.State, ['ENABLED', 'DISABLED', 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS'])
    .check();
  if (input.State === 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS') {
    throw refused(`The State ${input.State}`, 'There are no events of CloudTrail here; use ENABLED.');
  }
  if (input.RoleArn && !/^arn:aws[a-z-]*:iam::\d{12}:role\/.+$/.test(input.RoleArn)) {
    throw invalidParameter('RoleArn', 'Provided Arn is not in correct format.');
  }
}

function summary(id: BusId & { readonly rule: string }, rule: RuleRecord) {
  return {
    Name: rule.name,
    Arn: ruleArn(id),
    EventPattern: rule.pattern,
    ScheduleExpression: rule.schedule,
    State: rule.state,
    Description: rule.description,
    RoleArn: rule.roleArn,
    EventBusName: id.bus,
  };
}
