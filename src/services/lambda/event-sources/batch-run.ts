import { ServiceError } from '../../../base/errors.ts';
import type { InvocationResult } from '../../../functions/index.ts';
import { shortestChain, withInvocation } from '../lineage.ts';
import type { EventMessage, EventQueues } from '../ports.ts';
import type { Room } from '../room.ts';
import { newTraceId, refuseLoop, resolveActive, runOnce } from '../run.ts';
import type { ResolvedTarget } from '../target-cache.ts';
import { batchFailures } from './batch-failures.ts';
import type { MappingRecord } from './mapping-record.ts';
import { type EventPart, eventParts } from './queue-event.ts';

/** Messages that were received together. */
export interface Batch {
  readonly messages: readonly EventMessage[];
  /** Epoch ms at which the first of them becomes visible again. */
  readonly visibleAt: number;
}

/** What came of a batch, or of a part of it. */
export type BatchResult = 'ok' | 'failed' | 'throttled';

export interface BatchRunOptions {
  readonly room: Room;
  readonly queues: EventQueues;
  readonly mapping: MappingRecord;
  /** Told at each throttle. */
  readonly throttled: () => void;
  /** Nothing is begun any more. */
  readonly closing: AbortSignal;
}

/** First and longest pause between tries of a throttled invocation, when no end of another is waited for. */
const PAUSE_MS = 1000;
const MAX_PAUSE_MS = 30_000;

/**
 * Invokes the function with a batch and deletes what it has done. What fails stays in the queue, hidden until its
 * visibility timeout is over. Source: Lambda Developer Guide, "Handling errors for an SQS event source in Lambda".
 */
export async function runBatch(options: BatchRunOptions, batch: Batch): Promise<BatchResult> {
  const { mapping, room } = options;
  const { region } = mapping.function;
  const messages = await withoutLoops(options, batch.messages);
  const stopped = messages.length < batch.messages.length;
  const parts = eventParts(mapping.sourceArn, region, messages, room.limits.syncPayload);
  if (mapping.fifo) {
    // In order: what follows a failure must not overtake it.
    for (const part of parts) {
      const result = await runPart(options, part, batch.visibleAt);
      if (result !== 'ok') return result;
    }
    return stopped ? 'failed' : 'ok';
  }
  const results = await Promise.all(parts.map((part) => runPart(options, part, batch.visibleAt)));
  return results.find((result) => result !== 'ok') ?? (stopped ? 'failed' : 'ok');
}

/**
 * The messages of chains that may go on. The others stay in the queue until its redrive policy or their age ends them; in
 * a FIFO queue nothing overtakes them.
 */
async function withoutLoops(
  { mapping, room }: BatchRunOptions,
  messages: readonly EventMessage[],
): Promise<readonly EventMessage[]> {
  const target = await room.targets.resolve(mapping.function).catch(() => undefined);
  if (!target) return messages;
  const endless = (message: EventMessage): boolean => {
    const header = message.attributes.AWSTraceHeader;
    if (header === undefined) return false;
    try {
      refuseLoop(room, target, withInvocation(header, target.lineageId));
      return false;
    } catch {
      return true;
    }
  };
  const first = messages.findIndex(endless);
  if (first < 0) return messages;
  return mapping.fifo ? messages.slice(0, first) : messages.filter((message) => !endless(message));
}

async function runPart(options: BatchRunOptions, part: EventPart, visibleAt: number): Promise<BatchResult> {
  const { mapping, queues, room } = options;
  if (part.payload.length > room.limits.syncPayload) {
    const [message] = part.messages;
    room.logger.warn('a message is too large for a function', { queue: mapping.sourceArn, id: message!.messageId });
    return 'failed';
  }
  const result = await invoke(options, part, visibleAt);
  if (typeof result === 'string') return result;
  if (result.functionError !== undefined) return 'failed';
  const ids = new Set(part.messages.map((message) => message.messageId));
  const failed = mapping.reportsFailures ? batchFailures(result.payload, ids) : new Set<string>();
  if (failed === 'all') return 'failed';
  const done = part.messages.filter((message) => !failed.has(message.messageId));
  if (done.length > 0) {
    await queues.delete(
      mapping.sourceArn,
      done.map((message) => message.receiptHandle),
    );
  }
  return failed.size === 0 ? 'ok' : 'failed';
}

/** Tries until the function runs, or the messages are visible again for others. */
async function invoke(
  options: BatchRunOptions,
  part: EventPart,
  visibleAt: number,
): Promise<InvocationResult | Exclude<BatchResult, 'ok'>> {
  const { closing, mapping, room } = options;
  for (let tries = 1; ; tries += 1) {
    try {
      return await invokeOnce(room, await resolveActive(room, mapping.function), part);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (['ResourceNotFoundException', 'ResourceConflictException'].includes(error.code)) return 'failed';
    }
    options.throttled();
    if (closing.aborted || !(await patience(options, tries, visibleAt))) return 'throttled';
  }
}

function invokeOnce(room: Room, target: ResolvedTarget, part: EventPart): Promise<InvocationResult> {
  const headers = part.messages.map((message) => message.attributes.AWSTraceHeader);
  const traceId = withInvocation(shortestChain(headers, target.lineageId) ?? newTraceId(room), target.lineageId);
  return runOnce(room, target, {
    requestId: room.random.uuid(),
    payload: part.payload,
    invokedArn: target.invokedArn,
    traceId,
  });
}

/** Waits until another execution ends, or a while; false when the messages' time is over. */
async function patience(
  { closing, mapping, room }: BatchRunOptions,
  tries: number,
  visibleAt: number,
): Promise<boolean> {
  const { clock, concurrency } = room;
  const over = new AbortController();
  const timer = clock.at(visibleAt, () => over.abort());
  const signal = AbortSignal.any([over.signal, closing]);
  try {
    const freed = await concurrency.freed(mapping.function, mapping.function.name, signal);
    if (!freed && !signal.aborted) {
      await clock.sleep(Math.min(PAUSE_MS * 2 ** (tries - 1), MAX_PAUSE_MS), signal).catch(() => {});
    }
    return !signal.aborted && clock.now() < visibleAt;
  } finally {
    timer.cancel();
  }
}
