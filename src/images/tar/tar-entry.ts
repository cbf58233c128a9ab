export type TarEntryType = 'file' | 'hard-link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** Moment of a file: whole seconds since the epoch, which may be negative, and nanoseconds on top of them. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What an archive says about one file. */
export interface TarEntry {
  /** As it is written: may be absolute, hold `..`, or end in a slash. */
  readonly path: string;
  readonly type: TarEntryType;
  /** Bytes of the file, holes included. */
  readonly size: number;
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: FileTime;
  /** Of links; empty for others. */
  readonly linkTarget: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes, such as `security.capability`. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** An archive that is none, or that holds what is not supported; the message says what. */
export class TarError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TarError';
  }
}
