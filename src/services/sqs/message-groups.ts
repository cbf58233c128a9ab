import type { IndexedMessage } from './indexed-message.ts';

interface Group {
  readonly id: string;
  /** In order; those in flight included. */
  readonly messages: IndexedMessage[];
  inFlight: number;
}

/**
 * The messages of a FIFO queue. A group gives its messages in order, and none while one of them is in flight.
 * Source: SQS Developer Guide, "FIFO delivery logic".
 */
export class MessageGroups {
  readonly #groups = new Map<string, Group>();
  /** Groups whose first message can be received, those first that have waited longest. */
  readonly #open = new Set<Group>();

  add(message: IndexedMessage): void {
    const id = message.groupId ?? '';
    let group = this.#groups.get(id);
    if (!group) {
      group = { id, messages: [], inFlight: 0 };
      this.#groups.set(id, group);
    }
    let at = group.messages.length;
    while (at > 0 && group.messages[at - 1]!.order > message.order) at -= 1;
    group.messages.splice(at, 0, message);
    if (message.stage === 'inFlight') group.inFlight += 1;
    this.#update(group);
  }

  /** The message's stage has changed from `before`. */
  changed(message: IndexedMessage, before: IndexedMessage['stage']): void {
    const group = this.#groups.get(message.groupId ?? '');
    if (!group) return;
    if (before === 'inFlight') group.inFlight -= 1;
    if (message.stage === 'inFlight') group.inFlight += 1;
    if (message.stage === 'gone') {
      // Most often the first one goes.
      const at = group.messages.indexOf(message);
      if (at === 0) group.messages.shift();
      else if (at > 0) group.messages.splice(at, 1);
    }
    this.#update(group);
  }

  /** Up to `maximum` messages that can be received: as many as there are of one group, then of the next. */
  first(maximum: number): IndexedMessage[] {
    const found: IndexedMessage[] = [];
    for (const group of this.#open) {
      for (const message of group.messages) {
        if (found.length === maximum) return found;
        if (message.stage !== 'visible') break;
        found.push(message);
      }
    }
    return found;
  }

  clear(): void {
    this.#groups.clear();
    this.#open.clear();
  }

  #update(group: Group): void {
    const first = group.messages[0];
    if (first === undefined) this.#groups.delete(group.id);
    if (first?.stage === 'visible' && group.inFlight === 0) this.#open.add(group);
    else this.#open.delete(group);
  }
}
