import type {
  CancelKeyDeletionCommandInput,
  DisableKeyCommandInput,
  EnableKeyCommandInput,
  ScheduleKeyDeletionCommandInput,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { checkRange, invalidState } from '../errors.ts';
import { findCustomerKey } from '../key-access.ts';
import { checkState } from '../key-use.ts';
import { keyArn, keyState } from '../records.ts';
import { changeKey, type KmsState } from '../state.ts';

const DAY_MS = 86_400_000;

export async function enableKey(state: KmsState, input: EnableKeyCommandInput, context: RequestContext) {
  return setEnabled(state, input, context, true);
}

export async function disableKey(state: KmsState, input: DisableKeyCommandInput, context: RequestContext) {
  return setEnabled(state, input, context, false);
}

async function setEnabled(state: KmsState, input: EnableKeyCommandInput, context: RequestContext, enabled: boolean) {
  const { record: place } = await findCustomerKey(state, input.KeyId, context);
  await changeKey(state, place, (record) => {
    checkState({ record, arn: keyArn(record) }, ['Enabled', 'Disabled']);
    return { ...record, enabled };
  });
  return {};
}

/** A primary key with replicas waits for their end before its own waiting period begins. */
export async function scheduleKeyDeletion(
  state: KmsState,
  input: ScheduleKeyDeletionCommandInput,
  context: RequestContext,
) {
  const days = input.PendingWindowInDays ?? 30;
  checkRange('pendingWindowInDays', days, 7, 30);
  const { record: place, arn } = await findCustomerKey(state, input.KeyId, context);
  const deletionDate = state.clock.now() + days * DAY_MS;
  const changed = await changeKey(state, place, (record) => {
    checkState({ record, arn }, ['Enabled', 'Disabled', 'PendingImport']);
    const { multiRegion, region } = record;
    const waits = multiRegion !== undefined && multiRegion.primary === region && multiRegion.replicas.length > 0;
    return { ...record, pendingWindowInDays: days, ...(waits ? {} : { deletionDate }) };
  });
  return {
    KeyId: arn,
    KeyState: keyState(changed),
    PendingWindowInDays: days,
    ...(changed.deletionDate === undefined ? {} : { DeletionDate: new Date(changed.deletionDate) }),
  };
}

/** The key is disabled afterwards. Source: API reference, CancelKeyDeletion. */
export async function cancelKeyDeletion(
  state: KmsState,
  input: CancelKeyDeletionCommandInput,
  context: RequestContext,
) {
  const { record: place, arn } = await findCustomerKey(state, input.KeyId, context);
  await changeKey(state, place, (record) => {
    const current = keyState(record);
    if (current !== 'PendingDeletion' && current !== 'PendingReplicaDeletion') {
      throw invalidState(`${arn} is not pending deletion.`);
    }
    return { ...record, enabled: false, deletionDate: undefined, pendingWindowInDays: undefined };
  });
  return { KeyId: arn };
}
