import type { GetKeyLastUsageCommandInput } from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { findOwnKey } from '../key-access.ts';
import type { KmsState } from '../state.ts';

/** There is no CloudTrail, and so no id of an event in it. */
export async function getKeyLastUsage(state: KmsState, input: GetKeyLastUsageCommandInput, context: RequestContext) {
  const { record } = await findOwnKey(state, input.KeyId, context);
  const usage = await state.usage.find(record);
  const created = new Date(record.creationDate);
  return {
    KeyId: record.id,
    KeyLastUsage:
      usage === undefined
        ? {}
        : { Operation: usage.operation, Timestamp: new Date(usage.time), KmsRequestId: usage.requestId },
    TrackingStartDate: created,
    KeyCreationDate: created,
  };
}
