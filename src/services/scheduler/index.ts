import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery, DeliverySource } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { AwsService, RequestContext } from '../service.ts';
import { authorization } from './authorization.ts';
import { schedulerSource } from './delivery-source.ts';
import * as groups from './operations/groups.ts';
import * as schedules from './operations/schedules.ts';
import type { SchedulerState } from './state.ts';
import { Timetable } from './timetable.ts';

export interface SchedulerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Scheduler {
  readonly service: AwsService;
  /** What schedules send. */
  readonly deliverySource: DeliverySource;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: SchedulerState, input: Input, context: RequestContext) => Promise<Output>;

/** EventBridge Scheduler: schedules in groups, and their invocations of targets when they come due. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const timetable = new Timetable(options);
  const state: SchedulerState = { ...options, timetable };
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  const service: AwsService = {
    name: 'scheduler',
    operations: {
      CreateSchedule: bind(schedules.createSchedule),
      CreateScheduleGroup: bind(groups.createScheduleGroup),
      DeleteSchedule: bind(schedules.deleteSchedule),
      DeleteScheduleGroup: bind(groups.deleteScheduleGroup),
      GetSchedule: bind(schedules.getSchedule),
      GetScheduleGroup: bind(groups.getScheduleGroup),
      ListScheduleGroups: bind(groups.listScheduleGroups),
      ListSchedules: bind(schedules.listSchedules),
      ListTagsForResource: bind(groups.listTagsForResource),
      TagResource: bind(groups.tagResource),
      UntagResource: bind(groups.untagResource),
      UpdateSchedule: bind(schedules.updateSchedule),
    },
    refused: {},
    authorization: bindAuthorization(state),
  };
  return {
    service,
    deliverySource: schedulerSource((deliveryId) => timetable.began(deliveryId)),
    start: async () => {
      await groups.resumeDeletions(state);
      await timetable.start();
    },
    close: () => timetable.close(),
  };
}

function bindAuthorization(state: SchedulerState): AwsService['authorization'] {
  return (operation, input, context) => authorization(state, operation, input, context);
}
