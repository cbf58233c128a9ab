import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { SECRET_KEY } from './records.ts';

/** The key that tokens and addresses are signed with; made when it is first needed. */
export class SigningSecret {
  readonly #store: Store;
  readonly #random: Random;
  #secret: Promise<Uint8Array> | undefined;

  constructor({ store, random }: { readonly store: Store; readonly random: Random }) {
    this.#store = store;
    this.#random = random;
  }

  get(): Promise<Uint8Array> {
    this.#secret ??= this.#read().catch((error: unknown) => {
      this.#secret = undefined;
      throw error;
    });
    return this.#secret;
  }

  #read(): Promise<Uint8Array> {
    return this.#store.transact(async (transaction) => {
      const kept = await transaction.get<Uint8Array>(SECRET_KEY);
      if (kept) return kept.value;
      const secret = this.#random.bytes(32);
      transaction.put(SECRET_KEY, secret);
      return secret;
    });
  }
}
