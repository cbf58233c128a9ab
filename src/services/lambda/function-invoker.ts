import { ServiceError } from '../../base/errors.ts';
import type { FunctionInvoker } from '../function-invoker.ts';
import { permits } from './delivery-target.ts';
import { functionNotFound } from './errors.ts';
import { withInvocation } from './lineage.ts';
import { parseFunctionArn } from './names.ts';
import type { Room } from './room.ts';
import { newTraceId, refuseLoop, resolveActive, runOnce } from './run.ts';

/** Functions for other services, which wait for the answer. */
export function functionInvoker(room: Room): FunctionInvoker {
  return {
    permits: (functionArn, caller) => permits(room, functionArn, caller),
    invoke: async (functionArn, payload, caller) => {
      const name = parseFunctionArn(functionArn);
      if (!name) throw functionNotFound(functionArn);
      const target = await resolveActive(room, name);
      if (!(await permits(room, functionArn, caller))) {
        throw new ServiceError('AccessDeniedException', `${caller.service} may not invoke ${functionArn}`, {
          status: 403,
        });
      }
      const traceId = withInvocation(newTraceId(room), target.lineageId);
      refuseLoop(room, target, traceId);
      const { functionError, payload: answer } = await runOnce(room, target, {
        requestId: room.random.uuid(),
        payload,
        invokedArn: target.invokedArn,
        traceId,
      });
      return { functionError, payload: answer };
    },
  };
}
