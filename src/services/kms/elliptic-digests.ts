import type { KeyObject } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { SignatureRequest } from './signatures.ts';

/**
 * Signatures of digests, and Ed25519ph: node:crypto signs messages only. Loaded when first needed.
 */
const CURVES: Readonly<Record<string, typeof p256>> = {
  ECC_NIST_P256: p256,
  ECC_NIST_P384: p384,
  ECC_NIST_P521: p521,
  ECC_SECG_P256K1: secp256k1,
};

/** OpenSSL neither makes nor wants the lower of two possible `s`. */
const OPTIONS = { prehash: false, lowS: false, format: 'der' } as const;

export function signDigest(key: KeyObject, { message, spec }: SignatureRequest): Uint8Array {
  const secret = Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
  const curve = CURVES[spec];
  return curve ? curve.sign(message, secret, OPTIONS) : ed25519ph.sign(message, secret);
}

export function verifyDigest(key: KeyObject, { message, spec }: SignatureRequest, signature: Uint8Array): boolean {
  const { x = '', y = '' } = key.export({ format: 'jwk' }) as { readonly x?: string; readonly y?: string };
  const curve = CURVES[spec];
  try {
    if (!curve) return ed25519ph.verify(signature, message, Buffer.from(x, 'base64url'));
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
    return curve.verify(signature, message, point, OPTIONS);
  } catch {
    // What is no signature at all does not verify either.
    return false;
  }
}
