import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs';
import { ServiceError } from '../../base/errors.ts';

const MAX_ENTRIES = 10;

/**
 * Checks the entries of a batch request as a whole. Throws EmptyBatchRequest, TooManyEntriesInBatchRequest,
 * InvalidBatchEntryId, BatchEntryIdsNotDistinct. Source: SQS API Reference, "SendMessageBatch".
 */
export function checkEntries(entries: readonly { readonly Id?: string | undefined }[], type: string): void {
  if (entries.length === 0) {
    throw new ServiceError('EmptyBatchRequest', `There should be at least one ${type} in the request.`);
  }
  if (entries.length > MAX_ENTRIES) {
    throw new ServiceError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${MAX_ENTRIES}. You have sent ${entries.length}.`,
    );
  }
  const seen = new Set<string>();
  for (const { Id = '' } of entries) {
    if (!/^[\w-]{1,80}$/.test(Id)) {
      throw new ServiceError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
      );
    }
    if (seen.has(Id)) throw new ServiceError('BatchEntryIdsNotDistinct', `Id ${Id} repeated.`);
    seen.add(Id);
  }
}

/** Codes that have a longer name where the wire does not give them theirs: in the entries of an answer. */
const QUALIFIED = new Set(['MessageNotInflight', 'UnsupportedOperation']);

/** What an answer says of an entry that failed. Rethrows what is not an error of the service. */
export function failedEntry(id: string, error: unknown): BatchResultErrorEntry {
  if (!(error instanceof ServiceError)) throw error;
  const code = QUALIFIED.has(error.code) ? `AWS.SimpleQueueService.${error.code}` : error.code;
  return { Id: id, SenderFault: error.status < 500, Code: code, Message: error.message };
}

/** Does the entries one by one; what fails goes into `Failed`. */
export async function eachEntry<E extends { readonly Id?: string | undefined }, R>(
  entries: readonly E[],
  run: (entry: E) => Promise<R> | R,
): Promise<{ readonly Successful: R[]; readonly Failed: BatchResultErrorEntry[] }> {
  const Successful: R[] = [];
  const Failed: BatchResultErrorEntry[] = [];
  for (const entry of entries) {
    try {
      Successful.push(await run(entry));
    } catch (error) {
      Failed.push(failedEntry(entry.Id!, error));
    }
  }
  return { Successful, Failed };
}
