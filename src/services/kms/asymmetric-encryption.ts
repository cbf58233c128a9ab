import { constants, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto';
import { invalidCiphertext, validation } from './errors.ts';
import type { KeySpecName } from './key-specs.ts';

const HASHES: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  RSAES_OAEP_SHA_1: { name: 'sha1', bytes: 20 },
  RSAES_OAEP_SHA_256: { name: 'sha256', bytes: 32 },
};

/** Throws ValidationException for more than the key can take. Source: RFC 8017, section 7.1.1: k - 2hLen - 2 bytes. */
export function encryptRsa(key: KeyObject, spec: KeySpecName, algorithm: string, plaintext: Uint8Array): Buffer {
  const hash = HASHES[algorithm]!;
  const most = Number(spec.slice('RSA_'.length)) / 8 - 2 * hash.bytes - 2;
  if (plaintext.length > most) {
    throw validation(`Algorithm ${algorithm} and key spec ${spec} cannot encrypt data larger than ${most} bytes.`);
  }
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash.name }, plaintext);
}

/** Throws InvalidCiphertextException. */
export function decryptRsa(key: KeyObject, algorithm: string, ciphertext: Uint8Array): Buffer {
  try {
    return privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: HASHES[algorithm]!.name },
      ciphertext,
    );
  } catch {
    throw invalidCiphertext();
  }
}
