import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { ChunkSignatures } from '../body/aws-chunked.ts';
import type { WireRequest } from '../routing/wire-request.ts';
import { canonicalRequest } from './canonical-request.ts';
import { type Signature, timestampTime } from './signature.ts';

/** Why a signature is not accepted. */
export type Rejection =
  | { readonly kind: 'mismatch'; readonly canonicalRequest: string; readonly stringToSign: string }
  | { readonly kind: 'skewed' }
  | { readonly kind: 'unsignedHeader'; readonly header: string };

/** Most a request's time may differ from ours. */
const maximumSkew = 15 * 60 * 1000;
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const maximumKeys = 1000;

/** Verifies signatures; keeps the signing keys it derived (they are good for a day). */
export class SignatureVerifier {
  readonly #keys = new Map<string, { readonly secret: string; readonly key: Buffer }>();

  /** `payloadHash`: what stands for the body in the canonical request. */
  verify(
    request: WireRequest,
    signature: Signature,
    secret: string,
    payloadHash: string,
    options: { readonly s3: boolean; readonly now: number; readonly machineTime?: number | undefined },
  ): Rejection | undefined {
    const { machineTime = options.now, now } = options;
    const time = timestampTime(signature.timestamp);
    const skewed =
      signature.expires === undefined
        ? Math.min(Math.abs(now - time), Math.abs(machineTime - time)) > maximumSkew
        : time - now > maximumSkew;
    if (skewed) return { kind: 'skewed' };
    const unsigned = unsignedHeader(request, signature);
    if (unsigned !== undefined) return { kind: 'unsignedHeader', header: unsigned };
    const canonical = canonicalRequest(request, signature, payloadHash, options.s3);
    const stringToSign = `AWS4-HMAC-SHA256\n${signature.timestamp}\n${scope(signature)}\n${hash('sha256', canonical)}`;
    const matches =
      signature.timestamp.startsWith(signature.date) &&
      equal(hmac(this.#key(signature, secret), stringToSign), signature.signature);
    return matches ? undefined : { kind: 'mismatch', canonicalRequest: canonical, stringToSign };
  }

  /** Checks for the chunks of a signed body; `onMismatch` throws. */
  chunks(signature: Signature, secret: string, onMismatch: () => never): ChunkSignatures {
    const key = this.#key(signature, secret);
    let previous = signature.signature;
    const check = (kind: string, given: string, hashes: string): void => {
      const text = `${kind}\n${signature.timestamp}\n${scope(signature)}\n${previous}\n${hashes}`;
      if (!equal(hmac(key, text), given)) onMismatch();
      previous = given;
    };
    return {
      chunk: (given, bytes) => check('AWS4-HMAC-SHA256-PAYLOAD', given, `${emptyHash}\n${bytes}`),
      trailer: (given, headers) => check('AWS4-HMAC-SHA256-TRAILER', given, headers),
    };
  }

  #key(signature: Signature, secret: string): Buffer {
    const id = `${signature.accessKeyId}/${signature.date}/${signature.region}/${signature.service}`;
    const known = this.#keys.get(id);
    if (known?.secret === secret) return known.key;
    const date = hmac(`AWS4${secret}`, signature.date);
    const key = hmac(hmac(hmac(date, signature.region), signature.service), 'aws4_request');
    if (this.#keys.size >= maximumKeys) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(id, { secret, key });
    return key;
  }
}

function scope(signature: Signature): string {
  return `${signature.date}/${signature.region}/${signature.service}/aws4_request`;
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function equal(computed: Buffer, given: string): boolean {
  const bytes = Buffer.from(given, 'hex');
  return given.length === 64 && bytes.length === computed.length && timingSafeEqual(bytes, computed);
}

/** Headers that some clients add after signing. */
const mayBeUnsigned: ReadonlySet<string> = new Set(['x-amz-user-agent']);

/** A header that must be signed and is not: `host`, and every `x-amz-` header. */
function unsignedHeader(request: WireRequest, signature: Signature): string | undefined {
  const { signedHeaders } = signature;
  if (!signedHeaders.includes('host')) return 'host';
  for (const name in request.headers) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name) && !mayBeUnsigned.has(name)) return name;
  }
  return undefined;
}
