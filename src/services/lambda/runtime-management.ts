import type {
  GetRuntimeManagementConfigCommandInput,
  PutRuntimeManagementConfigCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation } from '../service.ts';
import { runtimeVersionArn } from './configuration.ts';
import { invalidParameter } from './errors.ts';
import { keys, LATEST, type VersionRecord } from './model.ts';
import { functionArn, isVersion, parseFunctionName } from './names.ts';
import { type Room, requireVersion } from './room.ts';
import { Constraints } from './validation.ts';

/**
 * Source: Lambda Developer Guide, "Understanding how Lambda manages runtime version updates". The machine has one build of
 * each runtime, so `Auto` and `FunctionUpdate` mean the same here, and `Manual` takes only that build's ARN.
 */
export function runtimeManagementOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PutRuntimeManagementConfig: async (input: PutRuntimeManagementConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
      const constraints = new Constraints();
      constraints.oneOf('updateRuntimeOn', input.UpdateRuntimeOn, ['Auto', 'Manual', 'FunctionUpdate']);
      constraints.check();
      if (input.UpdateRuntimeOn === 'Manual' && !input.RuntimeVersionArn) {
        throw invalidParameter('RuntimeVersionArn is required when UpdateRuntimeOn is Manual.');
      }
      if (input.UpdateRuntimeOn !== 'Manual' && input.RuntimeVersionArn) {
        throw invalidParameter('RuntimeVersionArn is taken only when UpdateRuntimeOn is Manual.');
      }
      const record = await room.store.transact(async (transaction) => {
        const version = await requireVersion(transaction, target);
        const only = runtimeVersionArn(target, version.runtime);
        if (input.RuntimeVersionArn && input.RuntimeVersionArn !== only) {
          throw invalidParameter(`Runtime Version ${input.RuntimeVersionArn} is not there; this machine has ${only}`);
        }
        const next: VersionRecord = {
          ...version,
          runtimeManagement: {
            updateOn: input.UpdateRuntimeOn!,
            ...(input.RuntimeVersionArn ? { versionArn: input.RuntimeVersionArn } : {}),
          },
        };
        transaction.put(keys.version(target, target.name, version.version), next);
        return next;
      });
      room.targets.forget(target, target.name);
      return {
        FunctionArn: functionArn(target, target.name, target.qualifier ?? LATEST),
        UpdateRuntimeOn: record.runtimeManagement!.updateOn,
        RuntimeVersionArn: record.runtimeManagement!.versionArn,
      };
    },
    GetRuntimeManagementConfig: async (input: GetRuntimeManagementConfigCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
      if (target.qualifier !== undefined && target.qualifier !== LATEST && !isVersion(target.qualifier)) {
        throw invalidParameter('An alias has no runtime of its own; name the version.');
      }
      const version = await requireVersion(room.store, target);
      return {
        FunctionArn: functionArn(target, target.name, target.qualifier ?? LATEST),
        UpdateRuntimeOn: version.runtimeManagement?.updateOn ?? 'Auto',
        RuntimeVersionArn: version.runtimeManagement?.versionArn,
      };
    },
  };
}
