import type {
  GetFunctionRecursionConfigCommandInput,
  PutFunctionRecursionConfigCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation } from '../service.ts';
import { type FunctionRecord, keys } from './model.ts';
import { parseFunctionName } from './names.ts';
import { type Room, requireFunction } from './room.ts';
import { Constraints } from './validation.ts';

/**
 * Whether a function that invokes itself over and over is stopped. Source: Lambda API Reference, "PutFunctionRecursionConfig",
 * "GetFunctionRecursionConfig".
 */
export function recursionConfigOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    GetFunctionRecursionConfig: async (input: GetFunctionRecursionConfigCommandInput, context) => {
      const owner = await requireFunction(room.store, parseFunctionName(input.FunctionName, undefined, context));
      return { RecursiveLoop: owner.recursiveLoop ?? 'Terminate' };
    },
    PutFunctionRecursionConfig: async (input: PutFunctionRecursionConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, undefined, context);
      const constraints = new Constraints();
      constraints.oneOf('recursiveLoop', input.RecursiveLoop, ['Allow', 'Terminate']);
      constraints.check();
      const recursiveLoop = input.RecursiveLoop!;
      await room.store.transact(async (transaction) => {
        const owner = await requireFunction(transaction, target);
        transaction.put(keys.function(target, target.name), { ...owner, recursiveLoop } satisfies FunctionRecord);
      });
      room.targets.forget(target, target.name);
      return { RecursiveLoop: recursiveLoop };
    },
  };
}
