import type { GetFunctionCodeSigningConfigCommandInput } from '@aws-sdk/client-lambda';
import type { Operation } from '../service.ts';
import { parseFunctionName } from './names.ts';
import { type Room, requireFunction } from './room.ts';

/** Questions that tools ask of every function, and whose true answer is "none". */
export function absentFeatureOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    GetFunctionCodeSigningConfig: async (input: GetFunctionCodeSigningConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, undefined, context);
      await requireFunction(room.store, target);
      return { FunctionName: target.name };
    },
  };
}
