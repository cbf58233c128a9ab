import { hash } from 'node:crypto';

const SHA256 = /^sha256:[0-9a-f]{64}$/;
const SHA512 = /^sha512:[0-9a-f]{128}$/;

/** Whether this is a digest that is kept here. Source: "OCI Content Descriptors", Digests. */
export function isDigest(text: unknown): text is string {
  return typeof text === 'string' && (SHA256.test(text) || SHA512.test(text));
}

export function isSha512(digest: string): boolean {
  return SHA512.test(digest);
}

/** Whether what is small enough to be in memory has this digest. */
export function hasDigest(bytes: Uint8Array, digest: string): boolean {
  return digest === (isSha512(digest) ? `sha512:${hash('sha512', bytes)}` : sha256Of(bytes));
}

/** Digest of what is small enough to be in memory. */
export function sha256Of(bytes: Uint8Array | string): string {
  return `sha256:${hash('sha256', bytes)}`;
}
