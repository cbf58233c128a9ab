import {
  constants,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign as signMessage,
  timingSafeEqual,
  verify as verifyMessage,
} from 'node:crypto';
import { promisify } from 'node:util';
import { unsupported, validation } from './errors.ts';
import type { KeySpecName } from './key-specs.ts';
import { encodePss, verifyPss } from './pss-encoding.ts';

const signAsync = promisify(signMessage) as (
  algorithm: string | null,
  data: Uint8Array,
  key: object,
) => Promise<Buffer>;
const verifyAsync = promisify(verifyMessage) as (
  algorithm: string | null,
  data: Uint8Array,
  key: object,
  signature: Uint8Array,
) => Promise<boolean>;

export type HashName = 'sha256' | 'sha384' | 'sha512';

/** What is signed, and how. */
export interface SignatureRequest {
  readonly spec: KeySpecName;
  readonly algorithm: string;
  readonly message: Uint8Array;
  readonly messageType: string;
}

const DIGEST_BYTES: Readonly<Record<HashName, number>> = { sha256: 32, sha384: 48, sha512: 64 };
/** DER of DigestInfo up to the digest. Source: RFC 8017, section 9.2, note 1. */
const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  sha256: '3031300d060960864801650304020105000420',
  sha384: '3041300d060960864801650304020205000430',
  sha512: '3051300d060960864801650304020305000440',
};

/** Throws ValidationException when message type, algorithm and message do not go together. */
export function checkMessage({ algorithm, message, messageType }: SignatureRequest): void {
  if (messageType === 'EXTERNAL_MU') {
    throw unsupported('MessageType EXTERNAL_MU is not supported: send the message itself with MessageType RAW.');
  }
  const rawOnly = algorithm === 'ED25519_SHA_512' || algorithm === 'ML_DSA_SHAKE_256';
  if (rawOnly && messageType !== 'RAW') throw validation(`Algorithm ${algorithm} requires MessageType RAW.`);
  if (algorithm === 'ED25519_PH_SHA_512' && messageType !== 'DIGEST') {
    throw validation(`Algorithm ${algorithm} requires MessageType DIGEST.`);
  }
  if (messageType === 'DIGEST' && message.length !== DIGEST_BYTES[hashOf(algorithm)]) {
    throw validation(`Digest is invalid length for algorithm ${algorithm}.`);
  }
}

/** The signature: DER for ECDSA. */
export async function sign(key: KeyObject, request: SignatureRequest): Promise<Uint8Array> {
  const { algorithm, message, messageType, spec } = request;
  if (algorithm === 'ED25519_PH_SHA_512' || (messageType === 'DIGEST' && spec.startsWith('ECC_'))) {
    return (await import('./elliptic-digests.ts')).signDigest(key, request);
  }
  if (messageType === 'DIGEST') return signRsaDigest(key, algorithm, message);
  return signAsync(hashOrNone(algorithm), message, { key, ...padding(algorithm) });
}

/** True when the signature is the key's for this message. */
export async function verify(key: KeyObject, request: SignatureRequest, signature: Uint8Array): Promise<boolean> {
  const { algorithm, message, messageType, spec } = request;
  if (algorithm === 'ED25519_PH_SHA_512' || (messageType === 'DIGEST' && spec.startsWith('ECC_'))) {
    return (await import('./elliptic-digests.ts')).verifyDigest(key, request, signature);
  }
  if (messageType === 'DIGEST') return verifyRsaDigest(key, algorithm, message, signature);
  return verifyAsync(hashOrNone(algorithm), message, { key, ...padding(algorithm) }, signature);
}

export function hashOf(algorithm: string): HashName {
  return `sha${algorithm.slice(-3)}` as HashName;
}

/** Ed25519 and ML-DSA hash as they sign. */
function hashOrNone(algorithm: string): string | null {
  return algorithm.startsWith('ED25519') || algorithm.startsWith('ML_DSA') ? null : hashOf(algorithm);
}

function padding(algorithm: string): object {
  if (algorithm.startsWith('RSASSA_PSS')) {
    return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return algorithm.startsWith('RSASSA') ? { padding: constants.RSA_PKCS1_PADDING } : {};
}

function signRsaDigest(key: KeyObject, algorithm: string, digest: Uint8Array): Buffer {
  const hash = hashOf(algorithm);
  if (algorithm.startsWith('RSASSA_PKCS1')) {
    return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, digestInfo(hash, digest));
  }
  const encoded = encodePss(hash, digest, modulusBits(key));
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded);
}

function verifyRsaDigest(key: KeyObject, algorithm: string, digest: Uint8Array, signature: Uint8Array): boolean {
  const hash = hashOf(algorithm);
  const pkcs1 = algorithm.startsWith('RSASSA_PKCS1');
  let encoded: Buffer;
  try {
    encoded = publicDecrypt(
      { key, padding: pkcs1 ? constants.RSA_PKCS1_PADDING : constants.RSA_NO_PADDING },
      signature,
    );
  } catch {
    return false;
  }
  if (!pkcs1) return verifyPss(hash, digest, encoded, modulusBits(key));
  const expected = digestInfo(hash, digest);
  return expected.length === encoded.length && timingSafeEqual(expected, encoded);
}

function digestInfo(hash: HashName, digest: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(DIGEST_INFO[hash], 'hex'), digest]);
}

function modulusBits(key: KeyObject): number {
  return key.asymmetricKeyDetails!.modulusLength!;
}
