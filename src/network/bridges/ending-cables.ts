import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Wiring } from './wiring.ts';

/** The kernel ends a namespace that nobody is in within some milliseconds, and its cables with it. */
const GRACE_MS = 100;
const POLL_MS = 2;

/**
 * Cables of containers that have ended. As long as one lies, the kernel answers for its address, even with no process
 * left: nobody else may have it. Most end by themselves; those of a namespace in which somebody still is are cut.
 */
export class EndingCables {
  readonly #wiring: Wiring;
  /** By address. */
  readonly #ending = new Map<string, string>();
  readonly #cuts = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
  }

  add(hostDevice: string, addresses: readonly string[]): void {
    for (const address of addresses) this.#ending.set(address, hostDevice);
    // Real time: how long the kernel takes.
    this.#timer ??= globalThis
      .setTimeout(() => {
        this.#timer = undefined;
        void this.#cut([...this.#ending.keys()]);
      }, GRACE_MS)
      .unref();
  }

  /** Resolves when no ended container has one of these addresses any more. */
  async gone(addresses: readonly string[]): Promise<void> {
    const waiting = addresses.filter((address) => this.#ending.has(address));
    if (waiting.length === 0) return;
    for (let waited = 0; waited < GRACE_MS && waiting.some((address) => this.#lies(address)); waited += POLL_MS) {
      await setTimeout(POLL_MS);
    }
    await this.#cut(waiting);
  }

  /** Resolves when nothing is left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#cut([...this.#ending.keys()]);
    await Promise.all(this.#cuts);
  }

  #lies(address: string): boolean {
    const device = this.#ending.get(address);
    if (device === undefined) return false;
    if (existsSync(`/sys/class/net/${device}`)) return true;
    this.#ending.delete(address);
    return false;
  }

  async #cut(addresses: readonly string[]): Promise<void> {
    const lying = addresses.filter((address) => this.#lies(address));
    const devices = new Set(lying.map((address) => this.#ending.get(address)!));
    if (devices.size === 0) return;
    const cut = this.#wiring.removeLinks([...devices]);
    this.#cuts.add(cut);
    try {
      await cut;
      for (const address of lying) if (devices.has(this.#ending.get(address)!)) this.#ending.delete(address);
    } finally {
      this.#cuts.delete(cut);
    }
  }
}
