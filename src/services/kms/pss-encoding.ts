import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * EMSA-PSS of a digest that is there already: node:crypto signs messages only. MGF1 and the salt's length go with the
 * hash, as in KMS. Source: RFC 8017, sections 9.1.1 and 9.1.2.
 */
const TRAILER = 0xbc;

/** The encoded message, as long as the modulus. */
export function encodePss(hash: string, digest: Uint8Array, modulusBits: number): Buffer {
  const { bytes, unused } = lengths(modulusBits);
  const salt = randomBytes(digest.length);
  const check = saltedHash(hash, digest, salt);
  const block = Buffer.alloc(bytes - check.length - 1);
  block[block.length - salt.length - 1] = 1;
  salt.copy(block, block.length - salt.length);
  mask(block, hash, check);
  block[0]! &= 0xff >> unused;
  return Buffer.concat([block, check, Buffer.of(TRAILER)]);
}

/** True when the encoded message is one of the digest. */
export function verifyPss(hash: string, digest: Uint8Array, encoded: Uint8Array, modulusBits: number): boolean {
  const { bytes, unused } = lengths(modulusBits);
  const size = digest.length;
  if (encoded.length !== bytes || encoded[bytes - 1] !== TRAILER || encoded[0]! & ~(0xff >> unused)) return false;
  const block = Buffer.from(encoded.subarray(0, bytes - size - 1));
  const check = encoded.subarray(bytes - size - 1, bytes - 1);
  mask(block, hash, check);
  block[0]! &= 0xff >> unused;
  const saltStart = block.length - size;
  const isPadded = block.subarray(0, saltStart - 1).every((byte) => byte === 0) && block[saltStart - 1] === 1;
  return isPadded && timingSafeEqual(saltedHash(hash, digest, block.subarray(saltStart)), check);
}

/** One bit less than the modulus is used, so that the number stays below it. */
function lengths(modulusBits: number): { readonly bytes: number; readonly unused: number } {
  const bytes = Math.ceil((modulusBits - 1) / 8);
  return { bytes, unused: bytes * 8 - (modulusBits - 1) };
}

function saltedHash(hash: string, digest: Uint8Array, salt: Uint8Array): Buffer {
  return createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
}

/** MGF1, appendix B.2.1, over the block in its place. */
function mask(block: Buffer, hash: string, seed: Uint8Array): void {
  const counter = Buffer.alloc(4);
  for (let position = 0, index = 0; position < block.length; index++) {
    counter.writeUInt32BE(index);
    for (const byte of createHash(hash).update(seed).update(counter).digest()) {
      if (position < block.length) block[position++]! ^= byte;
    }
  }
}
