import {
  type ChecksumKind,
  checksum,
  checksumKinds,
  checksumLength,
  combineChecksums,
} from '../../base/checksum/index.ts';
import { ServiceError } from '../../base/errors.ts';
import { invalidRequest, notImplemented } from './errors.ts';
import type { PartRecord, StoredChecksum } from './records.ts';

/** The members that requests and answers have for checksums; only the given one is set. */
export type ChecksumMembers = {
  [K in ChecksumKind as `Checksum${K}`]?: string | undefined;
};

const unsupportedKinds = ['XXHASH64', 'XXHASH3', 'XXHASH128'] as const;

/** Reads `ChecksumAlgorithm`; throws for a kind that AWS does not know and for those not supported here. */
export function parseChecksumKind(name: string | undefined): ChecksumKind | undefined {
  if (name === undefined) return undefined;
  const upper = name.toUpperCase();
  const kind = checksumKinds.find((known) => known === upper);
  if (kind) return kind;
  if (unsupportedKinds.some((unsupported) => unsupported === upper)) {
    throw notImplemented(`The checksum algorithm ${upper}`, `use one of ${checksumKinds.join(', ')}`);
  }
  throw invalidRequest('Checksum algorithm provided is unsupported. Please try again with any of the valid types.');
}

/** A checksum that the client announced: its value comes with the headers, or with the trailers after the body. */
export interface AnnouncedChecksum {
  readonly kind: ChecksumKind;
  readonly value: string | undefined;
  /** Name of the trailing header that brings the value. */
  readonly trailer: string | undefined;
}

/**
 * The checksum that a request carries. Throws `InvalidRequest` for more than one, or for one that is announced and
 * missing. Source: S3 User Guide, "Checking object integrity for data uploads".
 */
export function announcedChecksum(
  input: ChecksumMembers & { readonly ChecksumAlgorithm?: string | undefined },
  trailerHeader: string | undefined,
): AnnouncedChecksum | undefined {
  const values = input as Readonly<Record<string, unknown>>;
  for (const kind of unsupportedKinds) if (values[`Checksum${kind}`] !== undefined) parseChecksumKind(kind);
  const given = checksumKinds.filter((kind) => values[`Checksum${kind}`] !== undefined);
  const trailer = trailerHeader
    ?.toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .find((name) => name.startsWith('x-amz-checksum-'));
  if (given.length + (trailer === undefined ? 0 : 1) > 1) {
    throw invalidRequest('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  }
  if (trailer !== undefined) {
    return { kind: parseChecksumKind(trailer.slice('x-amz-checksum-'.length))!, value: undefined, trailer };
  }
  const kind = given[0];
  if (kind === undefined) {
    if (input.ChecksumAlgorithm !== undefined && parseChecksumKind(input.ChecksumAlgorithm)) {
      throw invalidRequest(
        'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
      );
    }
    return undefined;
  }
  const value = values[`Checksum${kind}`] as string;
  if (Buffer.from(value, 'base64').length !== checksumLength[kind]) throw invalidChecksumValue(kind);
  return { kind, value, trailer: undefined };
}

export function invalidChecksumValue(kind: ChecksumKind): ServiceError {
  return invalidRequest(`Value for x-amz-checksum-${kind.toLowerCase()} header is invalid.`);
}

export function checksumMismatch(kind: ChecksumKind): ServiceError {
  return new ServiceError('BadDigest', `The ${kind} you specified did not match the calculated checksum.`);
}

/** The members that tell a stored checksum. */
export function checksumOutput(stored: StoredChecksum | undefined): ChecksumMembers & {
  ChecksumType?: 'COMPOSITE' | 'FULL_OBJECT';
} {
  if (!stored) return {};
  return { [`Checksum${stored.kind}`]: stored.value, ChecksumType: stored.type };
}

/**
 * Which type a multipart upload's checksum has. CRC64NVME covers the whole object only; the CRC32 kinds do either,
 * the others are checksums of the parts' checksums. Source: S3 User Guide, "Full object and composite checksum types".
 */
export function multipartChecksumType(
  kind: ChecksumKind,
  asked: string | undefined,
): NonNullable<StoredChecksum['type']> {
  const full = kind === 'CRC64NVME' || kind === 'CRC32' || kind === 'CRC32C';
  const composite = kind !== 'CRC64NVME';
  if (asked === undefined) return composite ? 'COMPOSITE' : 'FULL_OBJECT';
  if ((asked === 'FULL_OBJECT' && full) || (asked === 'COMPOSITE' && composite)) return asked;
  throw invalidRequest(`The ${asked} checksum type cannot be used with the ${kind.toLowerCase()} checksum algorithm.`);
}

/** The checksum of a whole object from those of its parts; `undefined` when a part lacks one of that kind. */
export function combinePartChecksums(
  kind: ChecksumKind,
  type: StoredChecksum['type'],
  parts: readonly PartRecord[],
): StoredChecksum | undefined {
  const digests: Buffer[] = [];
  for (const part of parts) {
    if (part.checksum?.kind !== kind) return undefined;
    digests.push(Buffer.from(part.checksum.value, 'base64'));
  }
  if (type === 'COMPOSITE') {
    const value = checksum(kind, Buffer.concat(digests)).toString('base64');
    return { kind, type, value: `${value}-${parts.length}` };
  }
  if (kind !== 'CRC32' && kind !== 'CRC32C' && kind !== 'CRC64NVME') return undefined;
  const combined = combineChecksums(
    kind,
    parts.map((part, index) => ({ digest: digests[index]!, size: part.size })),
  );
  return { kind, type, value: combined.toString('base64') };
}
