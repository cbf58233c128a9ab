export { type ChecksumKind, checksum, checksumKinds, checksumLength, createChecksum } from './checksum.ts';
export { type CombinableKind, combineChecksums, type PartChecksum } from './combine.ts';
export type { Checksum } from './crc.ts';
