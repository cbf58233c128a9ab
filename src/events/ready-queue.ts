/** Limits on how much is under way at once. */
export interface ReadyQueueLimits {
  /** For one lane (a source and its target), so that a slow target keeps the rest moving. */
  readonly perLane: number;
  readonly total: number;
}

interface Lane<T> {
  readonly name: string;
  readonly waiting: T[];
  /** Index of the next one in `waiting`; what lies before has been taken. */
  head: number;
  running: number;
  /** In the ring of lanes that may take a slot. */
  listed: boolean;
}

/**
 * Work that is ready to run, in lanes. A free slot goes to the lanes in turn, so a lane with a long backlog takes no more
 * than its share; within a lane, first come, first served.
 */
export class ReadyQueue<T> {
  readonly #limits: ReadyQueueLimits;
  readonly #run: (item: T) => Promise<void>;
  readonly #lanes = new Map<string, Lane<T>>();
  #ring: Lane<T>[] = [];
  #running = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  /** `run` must not reject. */
  constructor(limits: ReadyQueueLimits, run: (item: T) => Promise<void>) {
    this.#limits = limits;
    this.#run = run;
  }

  get running(): number {
    return this.#running;
  }

  /** Lanes with something in them. */
  get lanes(): number {
    return this.#lanes.size;
  }

  push(laneName: string, item: T): void {
    if (this.#stopped) return;
    let lane = this.#lanes.get(laneName);
    if (!lane) {
      lane = { name: laneName, waiting: [], head: 0, running: 0, listed: false };
      this.#lanes.set(laneName, lane);
    }
    lane.waiting.push(item);
    this.#list(lane);
    this.#fill();
  }

  /** Takes nothing more; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #list(lane: Lane<T>): void {
    if (lane.listed || lane.head >= lane.waiting.length || lane.running >= this.#limits.perLane) return;
    lane.listed = true;
    this.#ring.push(lane);
  }

  #fill(): void {
    while (!this.#stopped && this.#running < this.#limits.total) {
      const lane = this.#ring.shift();
      if (!lane) return;
      lane.listed = false;
      const item = lane.waiting[lane.head]!;
      lane.waiting[lane.head] = undefined as T;
      lane.head += 1;
      if (lane.head === lane.waiting.length) {
        lane.waiting.length = 0;
        lane.head = 0;
      } else if (lane.head > 1024 && lane.head * 2 > lane.waiting.length) {
        lane.waiting.splice(0, lane.head);
        lane.head = 0;
      }
      lane.running += 1;
      this.#running += 1;
      this.#list(lane);
      void this.#run(item).finally(() => {
        lane.running -= 1;
        this.#running -= 1;
        if (lane.running === 0 && lane.waiting.length === 0) this.#lanes.delete(lane.name);
        else this.#list(lane);
        if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
        this.#fill();
      });
    }
  }
}
