interface Identified {
  readonly id: string;
}

/** Things that happen one after the other, lane by lane: the next one of a lane begins when the one before is removed. */
export class OrderedLanes<T extends Identified> {
  /** The first of a lane is the one under way; ids ascend. */
  readonly #lanes = new Map<string, T[]>();
  readonly #begin: (item: T) => void;

  constructor(begin: (item: T) => void) {
    this.#begin = begin;
  }

  /** Lanes with something in them. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Items may come out of order as long as none behind them has begun: they are put where their id belongs. */
  add(name: string, item: T): void {
    const lane = this.#lanes.get(name);
    if (!lane) {
      this.#lanes.set(name, [item]);
      this.#begin(item);
      return;
    }
    let at = lane.length;
    while (at > 1 && lane[at - 1]!.id > item.id) at -= 1;
    lane.splice(at, 0, item);
  }

  /** The item is over, or will not be after all. */
  remove(name: string, id: string): void {
    const lane = this.#lanes.get(name);
    const at = lane?.findIndex((item) => item.id === id) ?? -1;
    if (!lane || at < 0) return;
    lane.splice(at, 1);
    if (lane.length === 0) this.#lanes.delete(name);
    else if (at === 0) this.#begin(lane[0]!);
  }
}
