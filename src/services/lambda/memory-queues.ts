import type { AdjustableClock } from '../../base/clock.ts';
import type { MessageAttribute } from '../../events/index.ts';
import type { EventMessage, EventQueue, EventQueues } from './ports.ts';

interface StoredMessage {
  readonly id: string;
  readonly body: string;
  readonly group: string | undefined;
  readonly header: string | undefined;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
  receives: number;
  visibleAt: number;
}

interface MemoryQueue extends EventQueue {
  readonly messages: StoredMessage[];
}

export interface SentMessage {
  readonly group?: string;
  readonly header?: string;
  readonly messageAttributes?: Readonly<Record<string, MessageAttribute>>;
}

/** Queues for tests: as much of SQS as an event source sees. */
export class MemoryQueues implements EventQueues {
  readonly #clock: AdjustableClock;
  readonly #queues = new Map<string, MemoryQueue>();
  readonly #waiting = new Set<() => void>();
  #sent = 0;
  /** Receives that found something. */
  receives = 0;
  deleted: string[] = [];

  constructor(clock: AdjustableClock) {
    this.#clock = clock;
  }

  create(arn: string, options: Partial<EventQueue> = {}): void {
    this.#queues.set(arn, {
      fifo: arn.endsWith('.fifo'),
      visibilityTimeoutSeconds: 30,
      policy: undefined,
      messages: [],
      ...options,
    });
  }

  remove(arn: string): void {
    this.#queues.delete(arn);
    this.#wake();
  }

  /** Returns the message's id. */
  send(arn: string, body: string, { group, header, messageAttributes = {} }: SentMessage = {}): string {
    this.#sent += 1;
    const id = `message-${this.#sent}`;
    this.#queues.get(arn)!.messages.push({ id, body, group, header, messageAttributes, receives: 0, visibleAt: 0 });
    this.#wake();
    return id;
  }

  /** Ids of what is in the queue, with how often each has been received. */
  contents(arn: string): Record<string, number> {
    return Object.fromEntries(this.#queues.get(arn)!.messages.map(({ id, receives }) => [id, receives]));
  }

  async describe(arn: string): Promise<EventQueue | undefined> {
    return this.#queues.get(arn);
  }

  async receive(
    arn: string,
    { maximum, signal }: { readonly maximum: number; readonly signal: AbortSignal },
  ): Promise<readonly EventMessage[]> {
    for (;;) {
      const queue = this.#queues.get(arn);
      if (!queue) throw new Error('The specified queue does not exist.');
      if (signal.aborted) return [];
      const found = this.#take(queue, maximum);
      if (found.length > 0) return found;
      await this.#change(queue, signal);
    }
  }

  async delete(arn: string, handles: readonly string[]): Promise<void> {
    const { messages } = this.#queues.get(arn)!;
    for (const handle of handles) {
      const at = messages.findIndex(({ id, receives }) => handle === `${id}#${receives}`);
      if (at >= 0) this.deleted.push(...messages.splice(at, 1).map(({ id }) => id));
    }
    this.#wake();
  }

  #take({ messages, visibilityTimeoutSeconds }: MemoryQueue, maximum: number): EventMessage[] {
    const now = this.#clock.now();
    const held = new Set(messages.filter(({ visibleAt }) => visibleAt > now).map(({ group }) => group));
    const taken = messages
      .filter(({ group, visibleAt }) => visibleAt <= now && (group === undefined || !held.has(group)))
      .slice(0, maximum);
    if (taken.length > 0) this.receives += 1;
    return taken.map((message) => {
      message.receives += 1;
      message.visibleAt = now + visibilityTimeoutSeconds * 1000;
      return received(message);
    });
  }

  /** Something was sent or deleted, or the next message becomes visible. */
  async #change({ messages }: MemoryQueue, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    const hidden = messages.map(({ visibleAt }) => visibleAt).filter((time) => time > this.#clock.now());
    const timer = hidden.length === 0 ? undefined : this.#clock.at(Math.min(...hidden), resolve);
    await promise;
    timer?.cancel();
    this.#waiting.delete(resolve);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

function received({ body, group, header, id, messageAttributes, receives }: StoredMessage): EventMessage {
  return {
    messageId: id,
    receiptHandle: `${id}#${receives}`,
    body,
    md5OfBody: 'md5',
    attributes: {
      ApproximateReceiveCount: String(receives),
      ...(group === undefined ? {} : { MessageGroupId: group }),
      ...(header === undefined ? {} : { AWSTraceHeader: header }),
    },
    messageAttributes,
  };
}
