import type { Random } from '../base/random.ts';
import type { Key, Store } from '../store/index.ts';

/** A key that tokens and addresses are signed with: 32 bytes, kept in the store, made when it is first needed. */
export class SigningSecret {
  readonly #store: Store;
  readonly #random: Random;
  readonly #key: Key;
  #secret: Promise<Uint8Array> | undefined;

  /** `key`: where it is kept. */
  constructor({ store, random }: { readonly store: Store; readonly random: Random }, key: Key) {
    this.#store = store;
    this.#random = random;
    this.#key = key;
  }

  /** The same bytes for everybody who asks, also after a restart. */
  get(): Promise<Uint8Array> {
    this.#secret ??= this.#read().catch((error: unknown) => {
      this.#secret = undefined;
      throw error;
    });
    return this.#secret;
  }

  #read(): Promise<Uint8Array> {
    return this.#store.transact(async (transaction) => {
      const kept = await transaction.get<Uint8Array>(this.#key);
      if (kept) return kept.value;
      const secret = this.#random.bytes(32);
      transaction.put(this.#key, secret);
      return secret;
    });
  }
}
