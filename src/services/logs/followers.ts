import type { PublishedEvents } from './log-writer.ts';
import type { GroupId } from './records.ts';

/** Events kept for a follower that does not read; older ones are dropped and counted. */
const MAX_WAITING = 50_000;

/** Hands what was stored to those who follow a group, at once and without polling. */
export class Followers {
  readonly #byGroup = new Map<string, Set<Follower>>();

  publish(published: PublishedEvents): void {
    for (const follower of this.#byGroup.get(keyOf(published.target)) ?? []) follower.push(published);
  }

  follow(target: GroupId): Follower {
    const key = keyOf(target);
    const followers = this.#byGroup.get(key) ?? new Set();
    this.#byGroup.set(key, followers);
    const follower = new Follower(() => {
      followers.delete(follower);
      if (followers.size === 0 && this.#byGroup.get(key) === followers) this.#byGroup.delete(key);
    });
    followers.add(follower);
    return follower;
  }

  /** Ends every follower: the program stops. */
  close(): void {
    for (const followers of this.#byGroup.values()) for (const follower of [...followers]) follower.close();
  }
}

/** One reader of a group's new events. */
export class Follower {
  readonly #stop: () => void;
  #waiting: PublishedEvents[] = [];
  #count = 0;
  #wake: (() => void) | undefined;
  closed = false;
  /** Events that this follower was too slow for, since the last `take`. */
  dropped = 0;

  constructor(stop: () => void) {
    this.#stop = stop;
  }

  push(published: PublishedEvents): void {
    this.#waiting.push(published);
    this.#count += published.events.length;
    while (this.#count > MAX_WAITING && this.#waiting.length > 1) {
      const lost = this.#waiting.shift()!.events.length;
      this.#count -= lost;
      this.dropped += lost;
    }
    this.#wake?.();
  }

  /** What has come since the last call, without waiting. */
  take(): readonly PublishedEvents[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#count = 0;
    return taken;
  }

  /** Resolves when there is something to take, or the follower is closed. */
  async wait(): Promise<void> {
    if (this.#waiting.length > 0 || this.closed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#stop();
    this.#wake?.();
  }
}

function keyOf({ account, region, group }: GroupId): string {
  return `${account}/${region}/${group}`;
}
