import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { keys } from './records.ts';

const KEY_BYTES = 32;

/**
 * The key of queues whose encryption is SQS's own business (SSE-SQS). It lies in the store beside what it encrypts: a single
 * record shows nothing, the whole data directory shows all.
 */
export class ManagedKey {
  readonly #store: Store;
  readonly #random: Random;
  #key: Promise<Uint8Array> | undefined;

  constructor(parts: { readonly store: Store; readonly random: Random }) {
    this.#store = parts.store;
    this.#random = parts.random;
  }

  /** 32 bytes; made when there are none. */
  get(): Promise<Uint8Array> {
    this.#key ??= this.#load().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #load(): Promise<Uint8Array> {
    const fresh = this.#random.bytes(KEY_BYTES);
    return this.#store.transact(async (transaction) => {
      const known = await transaction.get<Uint8Array>(keys.managedKey());
      if (known) return known.value;
      transaction.put(keys.managedKey(), fresh);
      return fresh;
    });
  }
}
