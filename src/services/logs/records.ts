import type { Key } from '../../store/index.ts';

/** Which log group: names are unique within an account and region. */
export interface GroupId {
  readonly account: string;
  readonly region: string;
  readonly group: string;
}

export interface GroupRecord {
  /** Never used again after the group is deleted. */
  readonly id: string;
  readonly name: string;
  readonly creationTime: number;
  readonly logGroupClass: 'STANDARD' | 'INFREQUENT_ACCESS';
  readonly retentionInDays?: number | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly deletionProtection?: boolean | undefined;
}

export interface StreamRecord {
  readonly id: string;
  readonly name: string;
  readonly creationTime: number;
  readonly firstEvent?: number | undefined;
  readonly lastEvent?: number | undefined;
  readonly lastIngestion?: number | undefined;
  /** Sequence number of the next chunk. */
  readonly nextSequence: number;
  /** No chunk ever came with an event older than the stream's newest: chunks do not overlap in time. */
  readonly ordered: boolean;
}

/** Events of one stream that were stored together, ascending by time. Short names: there are many of these. */
export interface ChunkRecord {
  /** Timestamp of the last event. */
  readonly l: number;
  /** Ingestion time. */
  readonly i: number;
  /** Timestamps. */
  readonly t: readonly number[];
  /** Messages. */
  readonly m: readonly string[];
  /** UTF-8 bytes of the messages plus 26 for each event, as CloudWatch Logs counts them. */
  readonly b: number;
}

/** Longest time that one chunk spans: bounds how far a reader must look for overlapping chunks. */
export const MAX_CHUNK_SPAN_MS = 10_000;

export const groupPrefix = (account: string, region: string): Key => ['logs', 'group', account, region];
export const groupKey = ({ account, region, group }: GroupId): Key => ['logs', 'group', account, region, group];
export const streamPrefix = (groupId: string): Key => ['logs', 'stream', groupId];
export const streamKey = (groupId: string, stream: string): Key => ['logs', 'stream', groupId, stream];
export const sizeKey = (groupId: string): Key => ['logs', 'size', groupId];
export const chunkPrefix = (streamId: string): Key => ['logs', 'chunk', streamId];
export const chunkKey = (streamId: string, first: number, sequence: number): Key => [
  'logs',
  'chunk',
  streamId,
  first,
  sequence,
];

/** Where an event stands in its stream: by time, then by arrival. */
export interface Position {
  readonly timestamp: number;
  readonly sequence: number;
  readonly index: number;
}

export interface StoredEvent extends Position {
  readonly message: string;
  readonly ingestionTime: number;
}

export function comparePositions(a: Position, b: Position): number {
  return a.timestamp - b.timestamp || a.sequence - b.sequence || a.index - b.index;
}

/** The size that CloudWatch Logs counts for an event: its UTF-8 bytes plus 26. */
export function eventSize(message: string): number {
  return Buffer.byteLength(message) + 26;
}
