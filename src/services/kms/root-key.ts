import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { ROOT_KEY } from './records.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Encrypts what is stored of keys: their material and import tokens never stand in the clear in the store. The root key
 * itself is in the same store: it separates key material from everything else that is read there, and does not protect
 * from someone who can read the whole data directory.
 */
export class RootKey {
  readonly #key: Uint8Array;
  readonly #random: Random;

  constructor(key: Uint8Array, random: Random) {
    this.#key = key;
    this.#random = random;
  }

  /** AES-256-GCM: IV, ciphertext and tag. `purpose` must be the same to decrypt. */
  wrap(plaintext: Uint8Array, purpose: string): Buffer {
    const iv = this.#random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    cipher.setAAD(Buffer.from(purpose));
    return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  }

  /** Throws when it was not wrapped here, or for another purpose. */
  unwrap(wrapped: Uint8Array, purpose: string): Buffer {
    const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength);
    if (bytes.length < IV_BYTES + TAG_BYTES) throw new Error('too short to have been wrapped');
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES));
    decipher.setAAD(Buffer.from(purpose));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES)), decipher.final()]);
  }

  /** 64 hexadecimal digits: the same for the same material of the same key, and telling nothing about it. */
  materialId(keyId: string, material: Uint8Array): string {
    return createHmac('sha256', this.#key).update(`material id ${keyId} `).update(material).digest('hex');
  }
}

/** The root key in the store; made when there is none. */
export async function loadRootKey(store: Store, random: Random): Promise<RootKey> {
  const known = await store.get<Uint8Array>(ROOT_KEY);
  if (known) return new RootKey(known.value, random);
  const fresh = random.bytes(32);
  const key = await store.transact(async (transaction) => {
    const other = await transaction.get<Uint8Array>(ROOT_KEY);
    if (other) return other.value;
    transaction.put(ROOT_KEY, fresh);
    return fresh;
  });
  return new RootKey(key, random);
}
