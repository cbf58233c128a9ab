import type {
  DeleteFunctionConcurrencyCommandInput,
  GetFunctionConcurrencyCommandInput,
  PutFunctionConcurrencyCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { invalidParameter } from './errors.ts';
import { type FunctionRecord, keys, type ProvisionedRecord } from './model.ts';
import { parseFunctionName } from './names.ts';
import { type Room, requireFunction } from './room.ts';
import { Constraints } from './validation.ts';

/** Reserved concurrency. Source: Lambda Developer Guide, "Configuring reserved concurrency for a function". */
export function concurrencyOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PutFunctionConcurrency: (input: PutFunctionConcurrencyCommandInput, context) => put(room, input, context),
    GetFunctionConcurrency: async (input: GetFunctionConcurrencyCommandInput, context) => {
      const owner = await requireFunction(room.store, parseFunctionName(input.FunctionName, undefined, context));
      return owner.reservedConcurrency === undefined ? {} : { ReservedConcurrentExecutions: owner.reservedConcurrency };
    },
    DeleteFunctionConcurrency: async (input: DeleteFunctionConcurrencyCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, undefined, context);
      await room.store.transact(async (transaction) => {
        const { reservedConcurrency: _, ...rest } = await requireFunction(transaction, target);
        transaction.put(keys.function(target, target.name), rest satisfies FunctionRecord);
      });
      room.targets.forget(target, target.name);
      return {};
    },
    GetAccountSettings: (_input: object, context) => accountSettings(room, context),
  };
}

async function put(room: Room, input: PutFunctionConcurrencyCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  if (target.qualifier !== undefined) {
    throw invalidParameter(
      'This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.',
    );
  }
  const wanted = input.ReservedConcurrentExecutions!;
  const constraints = new Constraints();
  constraints.range('reservedConcurrentExecutions', wanted, 0, Number.MAX_SAFE_INTEGER);
  constraints.check();
  const { concurrency, unreservedMinimum } = room.limits;
  await room.store.transact(async (transaction) => {
    const owner = await requireFunction(transaction, target);
    let others = 0;
    for (const { value } of await transaction.range<FunctionRecord>({ prefix: keys.functions(target) })) {
      if (value.name !== target.name) others += value.reservedConcurrency ?? 0;
    }
    if (wanted > 0 && concurrency - others - wanted < unreservedMinimum) {
      throw invalidParameter(
        `Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${unreservedMinimum}].`,
      );
    }
    let provisioned = 0;
    for (const { value } of await transaction.range<ProvisionedRecord>({
      prefix: keys.provisionedOf(target, target.name),
    })) {
      provisioned += value.requested;
    }
    if (wanted < provisioned) {
      throw invalidParameter(
        `ReservedConcurrentExecutions  ${wanted} should not be lower than function's total provisioned concurrency [${provisioned}].`,
      );
    }
    transaction.put(keys.function(target, target.name), { ...owner, reservedConcurrency: wanted });
  });
  room.targets.forget(target, target.name);
  return { ReservedConcurrentExecutions: wanted };
}

/** Source: Lambda API Reference, "GetAccountSettings"; Developer Guide, "Lambda quotas". */
async function accountSettings(room: Room, context: RequestContext) {
  const functions = await room.store.range<FunctionRecord>({ prefix: keys.functions(context) });
  const versions = await room.store.range<{ code: { size: number } }>({ prefix: keys.allVersions(context) });
  const layers = await room.store.range<{ code: { size: number } }>({ prefix: keys.allLayerVersions(context) });
  const { reserved } = await room.concurrency.reservations(context);
  return {
    AccountLimit: {
      TotalCodeSize: 80_530_636_800,
      CodeSizeUnzipped: 262_144_000,
      CodeSizeZipped: 52_428_800,
      ConcurrentExecutions: room.limits.concurrency,
      UnreservedConcurrentExecutions: room.limits.concurrency - reserved,
    },
    AccountUsage: {
      TotalCodeSize: [...versions, ...layers].reduce((sum, { value }) => sum + value.code.size, 0),
      FunctionCount: functions.length,
    },
  };
}
