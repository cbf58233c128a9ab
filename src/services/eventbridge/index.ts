import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource, DeliveryTarget } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService, RequestContext } from '../service.ts';
import { authorization } from './authorization.ts';
import { acceptEvent, permitsEvents } from './bus-target.ts';
import { invokeDestination, permitsInvocation } from './connections/api-destination-target.ts';
import { Authorizations } from './connections/authorizations.ts';
import { RateLimits } from './connections/rate-limits.ts';
import { ConnectionSecrets } from './connections/secrets.ts';
import { eventsSource } from './delivery-source.ts';
import { Housekeeping } from './housekeeping.ts';
import * as apiDestinations from './operations/api-destinations.ts';
import * as archives from './operations/archives.ts';
import * as buses from './operations/buses.ts';
import * as connections from './operations/connections.ts';
import * as permissions from './operations/permissions.ts';
import { putEvents } from './operations/put-events.ts';
import * as replays from './operations/replays.ts';
import * as rules from './operations/rules.ts';
import * as tags from './operations/tags.ts';
import * as targets from './operations/targets.ts';
import { testEventPattern } from './operations/test-event-pattern.ts';
import { Publisher } from './publisher.ts';
import { parseBusArn } from './records.ts';
import { REFUSED } from './refused.ts';
import { Replayer } from './replayer.ts';
import { ScheduledRules } from './scheduled-rules.ts';
import type { EventBridgeState } from './state.ts';

export interface EventBridgeOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly encryption: Encryption;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface EventBridge {
  readonly service: AwsService;
  /** Buses and API destinations as targets of events. */
  readonly deliveryTarget: DeliveryTarget;
  /** Events on their way to the targets of rules. */
  readonly deliverySource: DeliverySource;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: EventBridgeState, input: Input, context: RequestContext) => Promise<Output>;

/** EventBridge: buses, rules, targets, schedules, archives, API destinations. */
export function createEventBridge(options: EventBridgeOptions): EventBridge {
  const publisher = new Publisher(options);
  const schedules = new ScheduledRules({ ...options, publisher });
  const housekeeping = new Housekeeping(options);
  const replayer = new Replayer({ ...options, publisher, housekeeping });
  const secrets = new ConnectionSecrets(options);
  const authorizations = new Authorizations({ ...options, secrets });
  const state: EventBridgeState = { ...options, publisher, schedules, housekeeping, replayer, authorizations };
  const limits = new RateLimits(options.clock);
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  const service: AwsService = {
    name: 'events',
    operations: {
      CancelReplay: bind(replays.cancelReplay),
      CreateApiDestination: bind(apiDestinations.createApiDestination),
      CreateArchive: bind(archives.createArchive),
      CreateConnection: bind(connections.createConnection),
      CreateEventBus: bind(buses.createEventBus),
      DeauthorizeConnection: bind(connections.deauthorizeConnection),
      DeleteApiDestination: bind(apiDestinations.deleteApiDestination),
      DeleteArchive: bind(archives.deleteArchive),
      DeleteConnection: bind(connections.deleteConnection),
      DeleteEventBus: bind(buses.deleteEventBus),
      DeleteRule: bind(rules.deleteRule),
      DescribeApiDestination: bind(apiDestinations.describeApiDestination),
      DescribeArchive: bind(archives.describeArchive),
      DescribeConnection: bind(connections.describeConnection),
      DescribeEventBus: bind(buses.describeEventBus),
      DescribeReplay: bind(replays.describeReplay),
      DescribeRule: bind(rules.describeRule),
      DisableRule: bind(rules.disableRule),
      EnableRule: bind(rules.enableRule),
      ListApiDestinations: bind(apiDestinations.listApiDestinations),
      ListArchives: bind(archives.listArchives),
      ListConnections: bind(connections.listConnections),
      ListEventBuses: bind(buses.listEventBuses),
      ListReplays: bind(replays.listReplays),
      ListRuleNamesByTarget: bind(targets.listRuleNamesByTarget),
      ListRules: bind(rules.listRules),
      ListTagsForResource: bind(tags.listTagsForResource),
      ListTargetsByRule: bind(targets.listTargetsByRule),
      PutEvents: bind(putEvents),
      PutPermission: bind(permissions.putPermission),
      PutRule: bind(rules.putRule),
      PutTargets: bind(targets.putTargets),
      RemovePermission: bind(permissions.removePermission),
      RemoveTargets: bind(targets.removeTargets),
      StartReplay: bind(replays.startReplay),
      TagResource: bind(tags.tagResource),
      TestEventPattern: testEventPattern,
      UntagResource: bind(tags.untagResource),
      UpdateApiDestination: bind(apiDestinations.updateApiDestination),
      UpdateArchive: bind(archives.updateArchive),
      UpdateConnection: bind(connections.updateConnection),
      UpdateEventBus: bind(buses.updateEventBus),
    },
    refused: REFUSED,
    authorization: bindAuthorization(state),
  };
  return {
    service,
    deliveryTarget: {
      accept: async (delivery, transaction) =>
        parseBusArn(delivery.targetArn) ? acceptEvent(state, delivery, transaction) : undefined,
      deliver: (delivery, signal) => invokeDestination(state, limits, delivery, signal),
      permits: (targetArn, caller) =>
        (parseBusArn(targetArn) ? permitsEvents : permitsInvocation)(state, targetArn, caller),
    },
    deliverySource: eventsSource(options.logger),
    start: async () => {
      await Promise.all([schedules.start(), housekeeping.start(), replayer.start(), authorizations.start()]);
    },
    close: async () => {
      await Promise.all([schedules.close(), housekeeping.close(), replayer.close(), authorizations.close()]);
    },
  };
}

function bindAuthorization(state: EventBridgeState): AwsService['authorization'] {
  return (operation, input, context) => authorization(state, operation, input, context);
}
