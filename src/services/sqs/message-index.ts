import type { IndexedMessage, MessageStage } from './indexed-message.ts';
import { LazyHeap } from './lazy-heap.ts';
import { MessageGroups } from './message-groups.ts';

interface Hidden {
  readonly until: number;
  readonly message: IndexedMessage;
}

/**
 * Which messages of a queue can be received, in memory. A standard queue gives the oldest visible ones; a FIFO queue as its
 * groups allow. Source: SQS Developer Guide, "Amazon SQS visibility timeout".
 */
export class MessageIndex {
  readonly #groups: MessageGroups | undefined;
  /** Those that have been received: what handles name. */
  readonly #received = new Map<number, IndexedMessage>();
  /** Of a standard queue. */
  readonly #visible = new LazyHeap<IndexedMessage>({
    key: (message) => message.order,
    stale: (message) => message.stage !== 'visible',
  });
  readonly #hidden = new LazyHeap<Hidden>({
    key: (item) => item.until,
    stale: ({ message, until }) => message.hiddenUntil !== until || message.stage === 'gone',
  });
  /** Oldest first. */
  readonly #ages = new LazyHeap<IndexedMessage>({
    key: (message) => message.sent,
    stale: (message) => message.stage === 'gone',
  });
  readonly #counts: Record<MessageStage, number> = { delayed: 0, visible: 0, inFlight: 0, gone: 0 };

  constructor(fifo: boolean) {
    this.#groups = fifo ? new MessageGroups() : undefined;
  }

  get inFlight(): number {
    return this.#counts.inFlight;
  }

  get delayed(): number {
    return this.#counts.delayed;
  }

  /** Neither delayed nor in flight; those of blocked groups are counted, as AWS's attribute does. */
  get visible(): number {
    return this.#counts.visible;
  }

  /** A message that has been received at least once. */
  received(place: number): IndexedMessage | undefined {
    return this.#received.get(place);
  }

  add(message: IndexedMessage): void {
    this.#counts[message.stage] += 1;
    if (message.receives > 0) this.#received.set(message.place, message);
    if (message.stage !== 'visible') this.#hidden.push({ until: message.hiddenUntil, message });
    else if (!this.#groups) this.#visible.push(message);
    this.#ages.push(message);
    this.#groups?.add(message);
  }

  /** Hides up to `maximum` of the messages that can be received, until then (epoch ms), and returns them. */
  take(maximum: number, until: number): IndexedMessage[] {
    const taken = this.#groups?.first(maximum) ?? [];
    while (!this.#groups && taken.length < maximum) {
      const message = this.#visible.pop();
      if (!message) break;
      taken.push(message);
    }
    for (const message of taken) this.hide(message, until);
    return taken;
  }

  /** Hides a message that was taken until then (epoch ms): somebody has it. */
  hide(message: IndexedMessage, until: number): void {
    if (message.stage === 'gone') return;
    message.hiddenUntil = until;
    this.#received.set(message.place, message);
    this.#change(message, 'inFlight');
    this.#hidden.push({ until, message });
  }

  show(message: IndexedMessage): void {
    if (message.stage === 'gone' || message.stage === 'visible') return;
    message.hiddenUntil = 0;
    this.#change(message, 'visible');
    if (!this.#groups) this.#visible.push(message);
  }

  remove(message: IndexedMessage): void {
    if (message.stage === 'gone') return;
    this.#received.delete(message.place);
    this.#change(message, 'gone');
  }

  /** Shows what has been hidden long enough; true when there was something. */
  settle(now: number): boolean {
    let shown = false;
    for (let next = this.#hidden.peek(); next && next.until <= now; next = this.#hidden.peek()) {
      this.show(next.message);
      shown = true;
    }
    return shown;
  }

  /** Epoch ms at which a hidden message is next to be shown. */
  nextShow(): number | undefined {
    return this.#hidden.peek()?.until;
  }

  /** When the oldest message was sent, epoch ms. */
  oldest(): number | undefined {
    return this.#ages.peek()?.sent;
  }

  /** Takes out the messages that were sent at this time (epoch ms) or before. */
  removeSentUntil(time: number): IndexedMessage[] {
    const removed: IndexedMessage[] = [];
    for (let next = this.#ages.peek(); next && next.sent <= time; next = this.#ages.peek()) {
      this.remove(next);
      removed.push(next);
    }
    return removed;
  }

  removeAll(): void {
    for (const message of this.#ages.drain()) this.remove(message);
  }

  #change(message: IndexedMessage, to: MessageStage): void {
    const before = message.stage;
    if (before === to) return;
    this.#counts[before] -= 1;
    this.#counts[to] += 1;
    message.stage = to;
    this.#groups?.changed(message, before);
  }
}
