import { parseArn } from '../../base/arn.ts';
import type { DeliveryTarget } from '../../events/index.ts';
import { type GroupRecord, groupKey } from './records.ts';
import type { LogsState } from './state.ts';

/** Log groups as targets: each event is a log event in a stream of its own. */
export function logsTarget(state: LogsState): DeliveryTarget {
  return {
    deliver: async (delivery) => {
      const arn = parseArn(delivery.targetArn);
      const group = /^log-group:([^:]+)(:\*)?$/.exec(arn?.resource ?? '')?.[1];
      if (!arn || group === undefined) {
        return {
          type: 'rejected',
          reason: `not a log group: ${delivery.targetArn}`,
          code: 'InvalidParameterException',
        };
      }
      // A policy that lets other accounts in cannot be put here, so none does.
      if (arn.account !== delivery.account) {
        return { type: 'rejected', reason: 'The log group is of another account.', code: 'AccessDeniedException' };
      }
      const id = { account: arn.account, region: arn.region, group };
      if (!(await state.store.get<GroupRecord>(groupKey(id)))) {
        return {
          type: 'rejected',
          reason: 'The specified log group does not exist.',
          code: 'ResourceNotFoundException',
        };
      }
      const message = Buffer.from(delivery.payload).toString();
      const stream = delivery.id;
      state.writer.append(id, stream, [{ timestamp: state.clock.now(), message }], true);
      await state.writer.flush();
      return { type: 'delivered' };
    },
  };
}
