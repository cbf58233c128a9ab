import { BLOCK, checksumMatches, FIELD, isZero, numberOf, textOf } from './header.ts';
import { type PaxRecords, parsePaxRecords, paxInteger, paxTime } from './pax-records.ts';
import {
  checkSegments,
  leadingSegments,
  MAX_LEADING_MAP,
  OLD_GNU,
  oldGnuSegments,
  paxSegments,
  type Segment,
} from './sparse-map.ts';
import { type FileTime, type TarEntry, type TarEntryType, TarError } from './tar-entry.ts';

/** Takes what an archive holds, in its order. Bytes are only valid during the call. */
export interface TarHandler {
  begin(entry: TarEntry): void;
  /** Content of the entry that has begun, at `position` of the file; holes are left out. */
  write(bytes: Uint8Array, position: number): void;
  end(): void;
}

/** Extended headers and long names; Go's reader, which Docker uses, allows as much. */
const MAX_EXTENDED = 1024 * 1024;

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/** A header that is complete but for what stands in blocks after it. */
interface Pending {
  readonly block: Uint8Array;
  readonly pax: PaxRecords;
  /** Bytes stored, as the header tells. */
  readonly stored: number;
}

type State =
  | { readonly at: 'header' }
  | { readonly at: 'extended'; readonly type: string; readonly size: number }
  | { readonly at: 'old sparse'; readonly pending: Pending; readonly segments: Segment[]; readonly realSize: number }
  | { readonly at: 'sparse map'; readonly pending: Pending; readonly realSize: number }
  | { readonly at: 'content' }
  | { readonly at: 'end' };

/**
 * Reads a tar archive as it comes: ustar, pax (with xattrs and all three sparse formats) and GNU. Synchronous, so that a
 * thread that is confined to a directory can unpack with it. Throws {@link TarError}.
 */
export class TarReader {
  readonly #handler: TarHandler;
  #state: State = { at: 'header' };
  /** Bytes of an incomplete header or map. */
  #held: Uint8Array = new Uint8Array(0);
  #global = emptyRecords();
  #local = emptyRecords();
  #longName: string | undefined;
  #longLink: string | undefined;
  #zeroBlocks = 0;
  /** Of the present entry: what of it is still to come, and where it goes. */
  #stored = 0;
  #padding = 0;
  #segments: Segment[] = [];
  #segment = 0;
  #inSegment = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  write(chunk: Uint8Array): void {
    let bytes = chunk;
    while (bytes.length > 0) {
      if (this.#state.at === 'end') return;
      if (this.#state.at === 'content') bytes = this.#content(bytes);
      else bytes = this.#gather(bytes);
    }
  }

  /** Says that there is no more. Throws when the archive stops in the middle of an entry. */
  finish(): void {
    if (this.#state.at === 'end') return;
    const between = this.#state.at === 'header' && this.#held.length === 0 && !this.#hasExtended();
    if (!between) throw new TarError('the archive ends in the middle of a file');
  }

  /** Waits for as many bytes as the present state needs, then takes its step. */
  #gather(bytes: Uint8Array): Uint8Array {
    const state = this.#state;
    if (state.at === 'sparse map') return this.#sparseMap(state, bytes);
    const wanted = state.at === 'extended' ? Math.ceil(state.size / BLOCK) * BLOCK : BLOCK;
    let block: Uint8Array;
    let rest: Uint8Array;
    if (this.#held.length === 0 && bytes.length >= wanted) {
      block = bytes.subarray(0, wanted);
      rest = bytes.subarray(wanted);
    } else {
      const missing = wanted - this.#held.length;
      this.#held = Buffer.concat([this.#held, bytes.subarray(0, missing)]);
      rest = bytes.subarray(Math.min(missing, bytes.length));
      if (this.#held.length < wanted) return rest;
      block = this.#held;
      this.#held = new Uint8Array(0);
    }
    if (state.at === 'header') this.#header(block);
    else if (state.at === 'extended') this.#extended(state.type, block.subarray(0, state.size));
    else if (state.at === 'old sparse') this.#oldSparse(state, block);
    return rest;
  }

  #header(block: Uint8Array): void {
    if (block[0] === 0 && isZero(block)) {
      // Two blocks of zeros end an archive; what comes after them means nothing.
      if (++this.#zeroBlocks === 2) this.#state = { at: 'end' };
      return;
    }
    if (this.#zeroBlocks > 0) this.#zeroBlocks = 0;
    if (!checksumMatches(block)) throw new TarError('this is no tar archive: the checksum of a header is wrong');
    const type = String.fromCharCode(block[FIELD.type[0]]!);
    if ('xgLKX'.includes(type)) {
      const size = numberOf(block, FIELD.size, 'the size');
      if (size < 0 || size > MAX_EXTENDED) throw new TarError('an extended header is too large');
      this.#state = { at: 'extended', type, size };
      if (size === 0) this.#extended(type, block.subarray(0, 0));
      return;
    }
    this.#entry(type, block);
  }

  #extended(type: string, bytes: Uint8Array): void {
    this.#state = { at: 'header' };
    if (type === 'g') parsePaxRecords(bytes, this.#global);
    else if (type === 'L') this.#longName = textOf(bytes);
    else if (type === 'K') this.#longLink = textOf(bytes);
    else parsePaxRecords(bytes, this.#local);
  }

  #entry(type: string, block: Uint8Array): void {
    const pax: PaxRecords = {
      texts: new Map([...this.#global.texts, ...this.#local.texts]),
      xattrs: this.#local.xattrs,
      sparse: this.#local.sparse,
    };
    // A volume's label and the name of an archive's part say nothing about a file.
    if (type === 'V') {
      this.#state = { at: 'header' };
      return;
    }
    if (!(type in TYPES)) throw new TarError(`the archive holds an entry of type "${type}", which is not supported`);
    const told = pax.texts.get('size');
    const stored = told === undefined ? numberOf(block, FIELD.size, 'the size') : paxInteger(told, 'size');
    if (stored < 0) throw new TarError('the size of a file is negative');
    const pending: Pending = { block, pax, stored };
    if (TYPES[type] !== 'file') this.#begin(pending, TYPES[type]!, undefined, 0);
    else if (type === 'S') this.#beginOldSparse(pending);
    else if (pax.texts.get('GNU.sparse.major') === '1' && pax.texts.get('GNU.sparse.minor') === '0') {
      this.#state = { at: 'sparse map', pending: kept(pending), realSize: sparseSize(pax) };
    } else {
      const segments = paxSegments(pax);
      const realSize = segments ? sparseSize(pax) : stored;
      this.#begin(pending, 'file', segments ?? [{ offset: 0, length: stored }], realSize);
    }
  }

  #beginOldSparse(pending: Pending): void {
    const { block } = pending;
    const segments = oldGnuSegments(block, OLD_GNU.header, OLD_GNU.inHeader);
    const realSize = numberOf(block, OLD_GNU.realSize, 'the size');
    if (block[OLD_GNU.extended]) this.#state = { at: 'old sparse', pending: kept(pending), segments, realSize };
    else this.#begin(pending, 'file', segments, realSize);
  }

  #oldSparse(state: Extract<State, { at: 'old sparse' }>, block: Uint8Array): void {
    state.segments.push(...oldGnuSegments(block, 0, OLD_GNU.inBlock));
    if (state.segments.length > MAX_EXTENDED / 16) throw new TarError('a sparse file has too many holes');
    if (!block[OLD_GNU.more]) this.#begin(state.pending, 'file', state.segments, state.realSize);
  }

  #sparseMap(state: Extract<State, { at: 'sparse map' }>, bytes: Uint8Array): Uint8Array {
    const before = this.#held.length;
    // Read block by block: the map says itself where it ends.
    const taken = Math.min(bytes.length, BLOCK - (before % BLOCK));
    this.#held = Buffer.concat([this.#held, bytes.subarray(0, taken)]);
    const rest = bytes.subarray(taken);
    if (this.#held.length % BLOCK !== 0) return rest;
    if (this.#held.length > Math.min(MAX_LEADING_MAP, state.pending.stored)) {
      throw new TarError('the map of a sparse file is too large');
    }
    const map = leadingSegments(this.#held);
    if (!map) return rest;
    this.#held = new Uint8Array(0);
    const pending = { ...state.pending, stored: state.pending.stored - map.length };
    this.#begin(pending, 'file', map.segments, state.realSize);
    return rest;
  }

  #begin(pending: Pending, type: TarEntryType, segments: Segment[] | undefined, size: number): void {
    const { block, pax } = pending;
    // Links and directories have no content, whatever their size says.
    const stored = segments ? pending.stored : type === 'directory' || type === 'hard-link' ? 0 : pending.stored;
    if (!segments && stored > 0) throw new TarError(`a ${type} in the archive has content`);
    if (segments) checkSegments(segments, size, stored);
    const path = pax.texts.get('GNU.sparse.name') ?? pax.texts.get('path') ?? this.#longName ?? nameOf(block);
    const entry: TarEntry = {
      path,
      // Archives from before POSIX mark a directory by the slash at its end alone.
      type: type === 'file' && path.endsWith('/') && stored === 0 ? 'directory' : type,
      size,
      mode: numberOf(block, FIELD.mode, 'the mode') & 0o7777,
      uid: idOf(pax, 'uid', block),
      gid: idOf(pax, 'gid', block),
      mtime: timeOf(pax, block),
      linkTarget: pax.texts.get('linkpath') ?? this.#longLink ?? textOf(block.subarray(157, 257)),
      deviceMajor: numberOf(block, FIELD.deviceMajor, 'a device'),
      deviceMinor: numberOf(block, FIELD.deviceMinor, 'a device'),
      xattrs: pax.xattrs,
    };
    this.#local = emptyRecords();
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#stored = stored;
    this.#padding = (BLOCK - (stored % BLOCK)) % BLOCK;
    this.#segments = segments ?? [];
    this.#segment = 0;
    this.#inSegment = 0;
    this.#state = { at: 'content' };
    this.#handler.begin(entry);
    this.#endIfComplete();
  }

  #content(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (this.#stored > 0 && rest.length > 0) {
      const segment = this.#segments[this.#segment]!;
      const length = Math.min(segment.length - this.#inSegment, rest.length);
      if (length > 0) this.#handler.write(rest.subarray(0, length), segment.offset + this.#inSegment);
      this.#inSegment += length;
      this.#stored -= length;
      rest = rest.subarray(length);
      if (this.#inSegment === segment.length) {
        this.#segment++;
        this.#inSegment = 0;
      }
    }
    if (this.#stored > 0) return rest;
    const skipped = Math.min(this.#padding, rest.length);
    this.#padding -= skipped;
    this.#endIfComplete();
    return rest.subarray(skipped);
  }

  #endIfComplete(): void {
    if (this.#stored > 0 || this.#padding > 0) return;
    this.#state = { at: 'header' };
    this.#handler.end();
  }

  #hasExtended(): boolean {
    const { texts, xattrs, sparse } = this.#local;
    return texts.size + xattrs.size + sparse.length > 0 || this.#longName !== undefined || this.#longLink !== undefined;
  }
}

/** A header outlives the bytes that it came in when more of it follows. */
function kept(pending: Pending): Pending {
  return { ...pending, block: Uint8Array.from(pending.block) };
}

function emptyRecords(): PaxRecords {
  return { texts: new Map(), xattrs: new Map(), sparse: [] };
}

function nameOf(block: Uint8Array): string {
  const name = textOf(block.subarray(0, 100));
  // GNU's own format has other things where POSIX has the beginning of long names.
  const posix = Buffer.from(block.subarray(257, 263)).toString('latin1') === 'ustar\0';
  if (!posix || block[FIELD.prefix[0]] === 0) return name;
  return `${textOf(block.subarray(345, 500))}/${name}`;
}

/** The largest id; 4294967295 means none. */
const MAX_ID = 0xfffffffe;

function idOf({ texts }: PaxRecords, member: 'uid' | 'gid', block: Uint8Array): number {
  const told = texts.get(member);
  const id = told === undefined ? numberOf(block, FIELD[member], member) : paxInteger(told, member);
  if (id < 0 || id > MAX_ID) throw new TarError(`the ${member} ${id} of a file is out of range`);
  return id;
}

function timeOf({ texts }: PaxRecords, block: Uint8Array): FileTime {
  const told = texts.get('mtime');
  return told === undefined ? { seconds: numberOf(block, FIELD.mtime, 'mtime'), nanoseconds: 0 } : paxTime(told);
}

function sparseSize({ texts }: PaxRecords): number {
  const told = texts.get('GNU.sparse.realsize') ?? texts.get('GNU.sparse.size');
  if (told === undefined) throw new TarError('a sparse file does not tell its size');
  return paxInteger(told, 'the size of a sparse file');
}
