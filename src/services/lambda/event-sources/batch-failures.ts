/**
 * The message ids that a function reports as failed, or `all` when its answer is not a valid report: then the whole batch
 * has failed. An absent or empty report means that all went well.
 *
 * Source: Lambda Developer Guide, "Implementing partial batch responses", success and failure conditions.
 */
export function batchFailures(answer: Uint8Array, messageIds: ReadonlySet<string>): ReadonlySet<string> | 'all' {
  const none = new Set<string>();
  if (answer.length === 0) return none;
  let response: unknown;
  try {
    response = JSON.parse(Buffer.from(answer).toString());
  } catch {
    return 'all';
  }
  if (response === null) return none;
  if (typeof response !== 'object' || Array.isArray(response)) return 'all';
  const { batchItemFailures: reported } = response as { batchItemFailures?: unknown };
  if (reported === undefined || reported === null) return none;
  if (!Array.isArray(reported)) return 'all';
  const failed = new Set<string>();
  for (const item of reported as unknown[]) {
    const id = (item as { itemIdentifier?: unknown } | null)?.itemIdentifier;
    if (typeof id !== 'string' || !messageIds.has(id)) return 'all';
    failed.add(id);
  }
  return failed;
}
