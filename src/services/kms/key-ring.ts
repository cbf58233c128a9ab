import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { Store } from '../../store/index.ts';
import { specInfo } from './key-specs.ts';
import { currentMaterial, type KeyPlace, type KeyRecord, keyArn, keyKey, type MaterialRecord } from './records.ts';
import type { RootKey } from './root-key.ts';

/** Keys kept ready for use. */
const MAXIMUM_LOADED = 5000;

/** A key as it stands in the store, with its material ready for use. */
export class LoadedKey {
  readonly record: KeyRecord;
  readonly arn: string;
  readonly #root: RootKey;
  readonly #unwrapped = new Map<string, KeyObject>();
  #public: KeyObject | undefined;

  constructor(record: KeyRecord, root: RootKey) {
    this.record = record;
    this.arn = keyArn(record);
    this.#root = root;
  }

  /** The material that new ciphertexts, signatures and codes are made with. */
  get current(): { readonly id: string; readonly key: KeyObject } {
    const material = currentMaterial(this.record);
    if (!material) throw new Error(`${this.arn} has no material`);
    return { id: material.id, key: this.#unwrap(material) };
  }

  /** A generation of the material; `undefined` when the key never had it or it is deleted. */
  material(id: string): KeyObject | undefined {
    const known = this.#unwrapped.get(id);
    if (known) return known;
    const material = this.record.materials.find((candidate) => candidate.id === id);
    return material?.wrapped === undefined ? undefined : this.#unwrap(material);
  }

  /** The public half of an asymmetric key. */
  get publicKey(): KeyObject {
    this.#public ??= createPublicKey(this.current.key);
    return this.#public;
  }

  #unwrap(material: MaterialRecord): KeyObject {
    let key = this.#unwrapped.get(material.id);
    if (!key) {
      if (material.wrapped === undefined) throw new Error(`${this.arn} has lost its material`);
      const bytes = this.#root.unwrap(material.wrapped, materialPurpose(this.record, material.id));
      key = materialKey(this.record, bytes);
      bytes.fill(0);
      this.#unwrapped.set(material.id, key);
    }
    return key;
  }
}

/** What material is wrapped for: it is of no use under another key's name. */
export function materialPurpose({ account, id }: Pick<KeyPlace, 'account' | 'id'>, materialId: string): string {
  return `material ${account} ${id} ${materialId}`;
}

function materialKey({ spec }: KeyRecord, bytes: Buffer): KeyObject {
  if (specInfo(spec).material.kind === 'secret') return createSecretKey(bytes);
  return createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
}

/** Keys as they stand in the store. Whoever writes one says so: then it is read again. */
export class KeyRing {
  readonly #store: Store;
  readonly #root: RootKey;
  readonly #loaded = new Map<string, Promise<LoadedKey | undefined>>();

  constructor(store: Store, root: RootKey) {
    this.#store = store;
    this.#root = root;
  }

  find(place: KeyPlace): Promise<LoadedKey | undefined> {
    const name = keyArn(place);
    let loaded = this.#loaded.get(name);
    if (!loaded) {
      loaded = this.#load(place);
      if (this.#loaded.size >= MAXIMUM_LOADED) this.#loaded.delete(this.#loaded.keys().next().value!);
      this.#loaded.set(name, loaded);
      // Neither what is not there nor what could not be read is remembered.
      loaded.then(
        (key) => key ?? this.#loaded.delete(name),
        () => this.#loaded.delete(name),
      );
    }
    return loaded;
  }

  /** To be called once a change of the key is in the store. */
  changed(place: KeyPlace): void {
    this.#loaded.delete(keyArn(place));
  }

  async #load(place: KeyPlace): Promise<LoadedKey | undefined> {
    const entry = await this.#store.get<KeyRecord>(keyKey(place));
    return entry && new LoadedKey(entry.value, this.#root);
  }
}
