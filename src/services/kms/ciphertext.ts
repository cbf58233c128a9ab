import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import type { Random } from '../../base/random.ts';
import { contextBytes, type EncryptionContext } from './encryption-context.ts';
import { invalidCiphertext } from './errors.ts';

/**
 * The blob that symmetric encryption gives:
 *
 *     1 version | 1 kind of key id | 6 account | 16 key id | 32 material id | 12 IV | ciphertext | 16 tag
 *
 * Everything before the IV and the encryption context are authenticated (AES-256-GCM's additional data).
 */
const VERSION = 1;
const SINGLE_REGION = 0;
const MULTI_REGION = 1;
const HEADER_BYTES = 56;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a blob says of the key that made it. */
export interface CiphertextHeader {
  readonly account: string;
  readonly keyId: string;
  readonly materialId: string;
}

/** Encrypts with a symmetric key; the blob names key and material. */
export function seal(
  header: CiphertextHeader,
  key: KeyObject,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
  random: Random,
): Buffer {
  const head = writeHeader(header);
  const iv = random.bytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.concat([head, contextBytes(context)]));
  return Buffer.concat([head, iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Which key a blob needs. Throws InvalidCiphertextException when it is none of these blobs. */
export function readHeader(blob: Uint8Array): CiphertextHeader {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const kind = bytes[1];
  if (bytes.length < HEADER_BYTES + IV_BYTES + TAG_BYTES || bytes[0] !== VERSION) throw invalidCiphertext();
  if (kind !== SINGLE_REGION && kind !== MULTI_REGION) throw invalidCiphertext();
  const hex = bytes.toString('hex', 8, 24);
  return {
    account: String(bytes.readUIntBE(2, 6)).padStart(12, '0'),
    keyId: kind === MULTI_REGION ? `mrk-${hex}` : hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    materialId: bytes.toString('hex', 24, HEADER_BYTES),
  };
}

/** Decrypts. Throws InvalidCiphertextException when blob, key or encryption context are not those of the encryption. */
export function open(blob: Uint8Array, key: KeyObject, context: EncryptionContext | undefined): Buffer {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const body = HEADER_BYTES + IV_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(HEADER_BYTES, body));
  decipher.setAAD(Buffer.concat([bytes.subarray(0, HEADER_BYTES), contextBytes(context)]));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(body, bytes.length - TAG_BYTES)), decipher.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

function writeHeader({ account, keyId, materialId }: CiphertextHeader): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  const multiRegion = keyId.startsWith('mrk-');
  head[0] = VERSION;
  head[1] = multiRegion ? MULTI_REGION : SINGLE_REGION;
  head.writeUIntBE(Number(account), 2, 6);
  head.write(multiRegion ? keyId.slice(4) : keyId.replaceAll('-', ''), 8, 'hex');
  head.write(materialId, 24, 'hex');
  return head;
}
