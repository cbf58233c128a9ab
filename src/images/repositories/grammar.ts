/** Source: OCI Distribution Specification 1.1, "Pulling manifests"; OCI Image Specification 1.1, "Digests". */

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
/** Clients limit a name together with its registry's host to 255 characters. */
const MAX_NAME = 255;

export const isRepositoryName = (text: string): boolean => text.length <= MAX_NAME && NAME.test(text);

export const isTag = (text: string): boolean => TAG.test(text);

/** Of an algorithm that is computed here: SHA-256 or SHA-512. */
export const isDigest = (text: string): boolean => DIGEST.test(text);

export const algorithmOf = (digest: string): 'sha256' | 'sha512' =>
  digest.startsWith('sha512:') ? 'sha512' : 'sha256';
