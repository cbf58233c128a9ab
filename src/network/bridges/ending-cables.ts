import { readdirSync } from 'node:fs';
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
        // Whoever needs one of the addresses tries again, and is told.
        this.#end([...this.#ending.keys()]).catch(() => {});
      }, GRACE_MS)
      .unref();
  }

  /** Resolves when no ended container has one of these addresses any more. */
  async gone(addresses: readonly string[]): Promise<void> {
    await this.#end(addresses.filter((address) => this.#ending.has(address)));
  }

  /** Resolves when nothing is left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#end([...this.#ending.keys()]);
    await Promise.all(this.#cuts);
  }

  async #end(addresses: readonly string[]): Promise<void> {
    const devices = new Set(addresses.flatMap((address) => this.#ending.get(address) ?? []));
    if (devices.size === 0) return;
    const cut = endOf(this.#wiring, [...devices]);
    this.#cuts.add(cut);
    try {
      await cut;
      for (const address of addresses) {
        if (devices.has(this.#ending.get(address) ?? '')) this.#ending.delete(address);
      }
    } finally {
      this.#cuts.delete(cut);
    }
  }
}

/** Resolves when these interfaces, of namespaces that were let go, are gone. */
export async function endOf(wiring: Pick<Wiring, 'removeLinks'>, devices: readonly string[]): Promise<void> {
  let lying = stillThere(devices);
  for (let waited = 0, pause = POLL_MS; waited < GRACE_MS && lying.length > 0; waited += pause, pause *= 2) {
    await setTimeout(pause);
    lying = stillThere(lying);
  }
  await wiring.removeLinks(lying);
}

function stillThere(devices: readonly string[]): readonly string[] {
  if (devices.length === 0) return [];
  const present = new Set(readdirSync('/sys/class/net'));
  return devices.filter((device) => present.has(device));
}
