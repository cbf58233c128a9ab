import type { PutEventsRequestEntry, Tag, Target } from '@aws-sdk/client-eventbridge';
import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { type ConnectionRecord, connectionArn, type DestinationRecord, destinationArn } from './connections/records.ts';
import { PRINCIPAL } from './invocation.ts';
import { busOfEntry } from './operations/put-events.ts';
import {
  archiveArn,
  type BusId,
  busArn,
  connectionKey,
  DEFAULT_BUS,
  destinationKey,
  parseBusArn,
  replayArn,
  ruleArn,
} from './records.ts';
import { type EventBridgeState, readBus } from './state.ts';

interface Input {
  readonly Name?: string;
  readonly Rule?: string;
  readonly EventBusName?: string;
  readonly ArchiveName?: string;
  readonly ReplayName?: string;
  readonly ResourceARN?: string;
  readonly EventSourceArn?: string;
  readonly RoleArn?: string;
  readonly Destination?: { readonly Arn?: string };
  readonly Entries?: readonly PutEventsRequestEntry[];
  readonly Tags?: readonly Tag[];
  readonly TagKeys?: readonly string[];
  readonly Targets?: readonly Target[];
}

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge". */
export async function authorization(
  state: EventBridgeState,
  operation: string,
  input: Input,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `events:${operation}`;
  const tagging = tagConditions(input);
  switch (operation) {
    case 'PutEvents':
      return putEvents(state, action, input.Entries ?? [], context);
    case 'CreateEventBus':
    case 'DeleteEventBus':
    case 'DescribeEventBus':
    case 'UpdateEventBus':
      return [{ action, resource: busArn(busNamed(input.Name, context)), conditions: tagging }];
    case 'PutPermission':
    case 'RemovePermission':
    case 'ListRuleNamesByTarget':
    case 'ListRules':
      return [{ action, resource: busArn(busNamed(input.EventBusName, context)) }];
    case 'PutRule':
    case 'PutTargets':
    case 'RemoveTargets':
    case 'DeleteRule':
    case 'DescribeRule':
    case 'DisableRule':
    case 'EnableRule':
    case 'ListTargetsByRule':
      return ruleRequests(action, input, context);
    case 'CreateArchive':
      return [
        { action, resource: archiveArn(context, input.ArchiveName ?? '') },
        { action, resource: input.EventSourceArn ?? '*' },
      ];
    case 'DeleteArchive':
    case 'DescribeArchive':
    case 'UpdateArchive':
      return [{ action, resource: archiveArn(context, input.ArchiveName ?? '') }];
    case 'StartReplay':
      return [
        { action, resource: replayArn(context, input.ReplayName ?? '') },
        { action, resource: input.EventSourceArn ?? '*' },
      ];
    case 'CancelReplay':
    case 'DescribeReplay':
      return [{ action, resource: replayArn(context, input.ReplayName ?? '') }];
    case 'ListTagsForResource':
    case 'TagResource':
    case 'UntagResource':
      return [{ action, resource: input.ResourceARN ?? '*', conditions: tagging }];
    case 'CreateApiDestination':
    case 'DeleteApiDestination':
    case 'DescribeApiDestination':
    case 'UpdateApiDestination':
      return [{ action, resource: await destinationNamed(state, input.Name ?? '', context) }];
    case 'CreateConnection':
    case 'DeauthorizeConnection':
    case 'DeleteConnection':
    case 'DescribeConnection':
    case 'UpdateConnection':
      return [{ action, resource: await connectionNamed(state, input.Name ?? '', context) }];
    default:
      return [{ action, resource: '*' }];
  }
}

/** One question for each entry: policies may tell events apart. */
async function putEvents(
  state: EventBridgeState,
  action: string,
  entries: readonly PutEventsRequestEntry[],
  context: RequestContext,
): Promise<AuthorizationRequest[]> {
  const requests = new Map<string, AuthorizationRequest>();
  for (const { DetailType, EventBusName, Source } of entries) {
    const id = busOfEntry(EventBusName, context);
    if (!id) continue;
    const resource = busArn(id);
    const key = JSON.stringify([resource, Source, DetailType]);
    if (requests.has(key)) continue;
    requests.set(key, {
      action,
      resource,
      resourceAccount: id.account,
      resourcePolicy: (await readBus(state.store, id))?.policy,
      conditions: {
        'events:source': [Source ?? ''],
        'events:detail-type': [DetailType ?? ''],
        'events:eventBusInvocation': ['false'],
      },
    });
  }
  return requests.size === 0 ? [{ action, resource: '*' }] : [...requests.values()];
}

function ruleRequests(action: string, input: Input, context: RequestContext): AuthorizationRequest[] {
  const bus = busNamed(input.EventBusName, context);
  const resource = ruleArn({ ...bus, rule: input.Rule ?? input.Name ?? '' });
  const targets = (input.Targets ?? []).map(({ Arn }) => Arn ?? '');
  const conditions = {
    ...tagConditions(input),
    'events:creatorAccount': [context.account],
    ...(targets.length === 0 ? {} : { 'events:TargetArn': targets }),
  };
  const roles = new Set([input.RoleArn, ...(input.Targets ?? []).map(({ RoleArn }) => RoleArn)]);
  return [
    { action, resource, conditions },
    ...[...roles]
      .filter((role) => role !== undefined)
      .map((role) => ({
        action: 'iam:PassRole',
        resource: role,
        conditions: { 'iam:PassedToService': [PRINCIPAL] },
      })),
  ];
}

function tagConditions({ TagKeys, Tags }: Input): Record<string, readonly string[]> {
  const given = (Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const);
  const keys = TagKeys ?? given.map(([key]) => key);
  return {
    ...Object.fromEntries(given.map(([key, value]) => [`aws:RequestTag/${key}`, [value]])),
    ...(keys.length === 0 ? {} : { 'aws:TagKeys': keys }),
  };
}

function busNamed(name: string | undefined, { account, region }: RequestContext): BusId {
  const own = { account, region, bus: name ?? DEFAULT_BUS };
  return name?.startsWith('arn:') ? (parseBusArn(name) ?? own) : own;
}

async function connectionNamed(state: EventBridgeState, name: string, context: RequestContext): Promise<string> {
  const record = (await state.store.get<ConnectionRecord>(connectionKey(context, name)))?.value;
  return connectionArn(context, record ?? { name, id: '*' });
}

async function destinationNamed(state: EventBridgeState, name: string, context: RequestContext): Promise<string> {
  const record = (await state.store.get<DestinationRecord>(destinationKey(context, name)))?.value;
  return destinationArn(context, record ?? { name, id: '*' });
}
