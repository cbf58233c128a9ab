import { createHash, type Hash, hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  type Checksum,
  type ChecksumKind,
  checksumKinds,
  checksumLength,
  createChecksum,
} from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import { malformedTrailer } from './aws-chunked.ts';

/** Something that the body must match once all of it has been seen. */
export interface BodyCheck {
  /** For a body that comes in pieces. */
  update(bytes: Uint8Array): void;
  /** Throws a ServiceError when it does not match. */
  finish(trailers: Readonly<Record<string, string>>): void;
}

/**
 * The checks that the request's headers ask for: `Content-MD5`, `x-amz-content-sha256` and, when `checksums` is set,
 * `x-amz-checksum-…` as a header or a trailing header. Source: Amazon S3 User Guide, "Checking object integrity".
 */
export function bodyChecks(headers: IncomingHttpHeaders, options: { readonly checksums: boolean }): BodyCheck[] {
  const checks: BodyCheck[] = [];
  const md5 = headers['content-md5'];
  if (typeof md5 === 'string') checks.push(new Md5Check(md5));
  const sha256 = headers['x-amz-content-sha256'];
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/i.test(sha256)) checks.push(new Sha256Check(sha256.toLowerCase()));
  if (options.checksums) checks.push(...checksumChecks(headers));
  return checks;
}

const prefix = 'x-amz-checksum-';
const kindsByHeader = new Map(checksumKinds.map((kind) => [prefix + kind.toLowerCase(), kind]));
/** Headers with that prefix that are not checksums. */
const otherHeaders: ReadonlySet<string> = new Set([`${prefix}algorithm`, `${prefix}mode`, `${prefix}type`]);

function checksumChecks(headers: IncomingHttpHeaders): BodyCheck[] {
  const checks: BodyCheck[] = [];
  for (const name in headers) {
    if (!name.startsWith(prefix) || otherHeaders.has(name)) continue;
    checks.push(new ChecksumCheck(checksumKind(name), name, String(headers[name])));
  }
  const trailer = headers['x-amz-trailer'];
  for (const name of typeof trailer === 'string' ? trailer.toLowerCase().split(',') : []) {
    const trimmed = name.trim();
    if (trimmed.startsWith(prefix)) checks.push(new ChecksumCheck(checksumKind(trimmed), trimmed, undefined));
  }
  if (checks.length > 1) {
    throw new ServiceError(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    );
  }
  return checks;
}

function checksumKind(header: string): ChecksumKind {
  const kind = kindsByHeader.get(header);
  if (kind) return kind;
  throw new ServiceError('NotImplemented', `The checksum '${header.slice(prefix.length, 64)}' is not supported.`, {
    status: 501,
  });
}

class ChecksumCheck implements BodyCheck {
  readonly #kind: ChecksumKind;
  readonly #name: string;
  readonly #expected: string | undefined;
  readonly #checksum: Checksum;

  constructor(kind: ChecksumKind, name: string, expected: string | undefined) {
    this.#kind = kind;
    this.#name = name;
    this.#expected = expected;
    if (expected !== undefined) this.#validate(expected);
    this.#checksum = createChecksum(kind);
  }

  update(bytes: Uint8Array): void {
    this.#checksum.update(bytes);
  }

  finish(trailers: Readonly<Record<string, string>>): void {
    const expected = this.#expected ?? trailers[this.#name];
    if (expected === undefined) throw malformedTrailer();
    if (this.#expected === undefined) this.#validate(expected);
    if (this.#checksum.digest().toString('base64') !== expected) {
      throw new ServiceError('BadDigest', `The ${this.#kind} you specified did not match the calculated checksum.`);
    }
  }

  #validate(value: string): void {
    if (Buffer.from(value, 'base64').length !== checksumLength[this.#kind]) {
      throw new ServiceError('InvalidRequest', `Value for ${this.#name} header is invalid.`);
    }
  }
}

class Md5Check implements BodyCheck {
  readonly #expected: string;
  readonly #hash = createHash('md5');

  constructor(expected: string) {
    if (Buffer.from(expected, 'base64').length !== 16) {
      throw new ServiceError('InvalidDigest', 'The Content-MD5 you specified was invalid.', {
        members: { 'Content-MD5': expected },
      });
    }
    this.#expected = expected;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  finish(): void {
    const calculated = this.#hash.digest('base64');
    if (calculated === this.#expected) return;
    throw new ServiceError('BadDigest', 'The Content-MD5 you specified did not match what we received.', {
      members: { ExpectedDigest: this.#expected, CalculatedDigest: calculated },
    });
  }
}

class Sha256Check implements BodyCheck {
  readonly #expected: string;
  /** A body in one piece is hashed in one call, which costs half. */
  #only: Uint8Array | undefined;
  #hash: Hash | undefined;

  constructor(expected: string) {
    this.#expected = expected;
  }

  update(bytes: Uint8Array): void {
    if (this.#hash) this.#hash.update(bytes);
    else if (this.#only) {
      this.#hash = createHash('sha256').update(this.#only).update(bytes);
      this.#only = undefined;
    } else this.#only = bytes;
  }

  finish(): void {
    const computed = this.#hash?.digest('hex') ?? hash('sha256', this.#only ?? '');
    if (computed === this.#expected) return;
    throw new ServiceError(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      { members: { ClientComputedContentSHA256: this.#expected, S3ComputedContentSHA256: computed } },
    );
  }
}
