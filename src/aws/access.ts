import { hash } from 'node:crypto';
import type { Credential, CredentialLookup, Principal } from '../services/index.ts';
import type { ChunkSignatures } from './body/aws-chunked.ts';
import type { Dialect } from './protocols/protocol.ts';
import type { WireRequest } from './routing/wire-request.ts';
import { checkExpiry, type Signature } from './sigv4/signature.ts';
import { type Rejection, SignatureVerifier } from './sigv4/verifier.ts';
import { wireError } from './wire-errors.ts';

/** The account of requests that name none. */
export const defaultAccount = '000000000000';

/** How long a credential found (or not) is remembered, ms of real time. */
const remembered = 1000;
const maximumRemembered = 10_000;

/** The bytes of a buffered body, or `undefined` for one that is streamed. */
type BodyBytes = Uint8Array | undefined;

export interface AccessOptions {
  readonly mode: 'open' | 'enforce';
  readonly credentials: CredentialLookup | undefined;
  /** Epoch ms. */
  readonly now: () => number;
  /** Epoch ms by the machine, when `now` may have been moved away from it: clients sign by the one or the other. */
  readonly machineTime?: (() => number) | undefined;
}

/** Finds out who sends a request, and in enforce mode whether the signature proves it. */
export class Access {
  readonly #options: AccessOptions;
  readonly #verifier = new SignatureVerifier();
  readonly #found = new Map<string, { readonly credential: Credential | undefined; readonly until: number }>();
  readonly #roots = new Map<string, Principal>();

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** Who the request says it is from; `undefined` signature: nobody. Not yet verified. */
  async identify(signature: Signature | undefined, dialect: Dialect): Promise<Identity> {
    if (!signature) return { principal: anonymous, credential: undefined };
    checkExpiry(signature, this.#options.now());
    const { accessKeyId } = signature;
    if (this.#options.mode === 'open' && !/^A[KS]IA/.test(accessKeyId)) {
      return { principal: this.#root(accessKeyId), credential: undefined };
    }
    const credential = await this.#find(accessKeyId);
    if (credential) return { principal: credential.principal, credential };
    if (this.#options.mode === 'open') return { principal: this.#root(accessKeyId), credential: undefined };
    throw wireError(
      dialect,
      'unknownKey',
      unknownKeyMessage(dialect),
      dialect === 's3' ? { AWSAccessKeyId: accessKeyId } : {},
    );
  }

  /** Enforce mode: verifies token, expiry and signature. Throws what the dialect calls the first thing wrong. */
  verify(request: WireRequest, signature: Signature, credential: Credential, body: BodyBytes, dialect: Dialect): void {
    const now = this.#options.now();
    // A token beside a key that needs none is as wrong as a missing one; an empty variable of the client's is no token.
    if (credential.sessionToken !== (signature.sessionToken || undefined)) {
      throw wireError(dialect, 'badToken', 'The security token included in the request is invalid.');
    }
    if (credential.expiration !== undefined && credential.expiration <= now) {
      throw wireError(dialect, 'expiredToken', expiredMessage(dialect));
    }
    const rejection = this.#verifier.verify(
      request,
      signature,
      credential.secretAccessKey,
      payloadHash(request, signature, body, dialect),
      {
        s3: dialect === 's3',
        now,
        machineTime: this.#options.machineTime?.(),
      },
    );
    if (rejection) throw rejected(rejection, signature, dialect, now);
  }

  /** Checks for the chunks of a signed `aws-chunked` body. */
  chunkSignatures(signature: Signature, credential: Credential, dialect: Dialect): ChunkSignatures {
    return this.#verifier.chunks(signature, credential.secretAccessKey, () => {
      throw wireError(dialect, 'badSignature', signatureMessage(dialect));
    });
  }

  async #find(accessKeyId: string): Promise<Credential | undefined> {
    const now = performance.now();
    const known = this.#found.get(accessKeyId);
    if (known && known.until > now) return known.credential;
    const credential = await this.#options.credentials?.find(accessKeyId);
    if (this.#found.size >= maximumRemembered) this.#found.clear();
    this.#found.set(accessKeyId, { credential, until: now + remembered });
    return credential;
  }

  /** Any key is good in open mode: it is the root of the account that it spells, or of the default one. */
  #root(accessKeyId: string): Principal {
    let principal = this.#roots.get(accessKeyId);
    if (!principal) {
      const account = /^\d{12}$/.test(accessKeyId) ? accessKeyId : defaultAccount;
      principal = { type: 'Root', account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId };
      if (this.#roots.size >= maximumRemembered) this.#roots.clear();
      this.#roots.set(accessKeyId, principal);
    }
    return principal;
  }
}

export interface Identity {
  readonly principal: Principal;
  /** What the key stands for; in open mode there may be none. */
  readonly credential: Credential | undefined;
}

const anonymous: Principal = {
  type: 'Anonymous',
  account: defaultAccount,
  arn: '*',
  userId: 'anonymous',
  accessKeyId: undefined,
};

/** What stands for the body in the canonical request. */
function payloadHash(request: WireRequest, signature: Signature, body: BodyBytes, dialect: Dialect): string {
  const header = request.header('x-amz-content-sha256');
  if (header !== undefined) return header;
  if (dialect === 's3' && signature.expires !== undefined)
    return request.query.get('X-Amz-Content-Sha256')?.[0] ?? 'UNSIGNED-PAYLOAD';
  return hash('sha256', body ?? '');
}

function rejected(rejection: Rejection, signature: Signature, dialect: Dialect, now: number) {
  switch (rejection.kind) {
    case 'skewed':
      if (dialect === 's3') {
        return wireError(
          dialect,
          'skewed',
          'The difference between the request time and the current time is too large.',
          {
            RequestTime: signature.timestamp,
            ServerTime: new Date(now).toISOString(),
            MaxAllowedSkewMilliseconds: 900_000,
          },
        );
      }
      return wireError(
        dialect,
        'skewed',
        `Signature expired: ${signature.timestamp} is not within 15 minutes of ${new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '')}`,
      );
    case 'unsignedHeader':
      return dialect === 's3'
        ? wireError(dialect, 'accessDenied', 'There were headers present in the request which were not signed', {
            HeadersNotSigned: rejection.header,
          })
        : wireError(
            dialect,
            'badSignature',
            `'${rejection.header}' must be a 'SignedHeader' in the AWS Authorization.`,
          );
    case 'mismatch':
      return wireError(
        dialect,
        'badSignature',
        signatureMessage(dialect),
        dialect === 's3'
          ? {
              AWSAccessKeyId: signature.accessKeyId,
              StringToSign: rejection.stringToSign,
              SignatureProvided: signature.signature,
              CanonicalRequest: rejection.canonicalRequest,
            }
          : {},
      );
  }
}

function signatureMessage(dialect: Dialect): string {
  return dialect === 's3'
    ? 'The request signature we calculated does not match the signature you provided. Check your key and signing method.'
    : 'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';
}

function unknownKeyMessage(dialect: Dialect): string {
  return dialect === 's3'
    ? 'The AWS Access Key Id you provided does not exist in our records.'
    : 'The security token included in the request is invalid.';
}

function expiredMessage(dialect: Dialect): string {
  return dialect === 's3' ? 'The provided token has expired.' : 'The security token included in the request is expired';
}
