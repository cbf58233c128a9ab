import type { Kernel } from '../../network/kernel/index.ts';
import { encodeName } from '../tar/names.ts';
import type { FileTime } from '../tar/tar-entry.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFIFO = 0o010000;

/** How overlayfs marks a directory that hides what is below it. Source: kernel documentation, "Overlay Filesystem", whiteouts and opaque directories. */
const OPAQUE = 'trusted.overlay.opaque';
const OPAQUE_VALUE = Buffer.from('y');

/** Numbers of system calls, for paths that are no UTF-8 and so cannot be handed to the library as texts. */
const NUMBERS = {
  x64: { mknodat: 259, utimensat: 280, lsetxattr: 189, lgetxattr: 192, llistxattr: 195 },
  arm64: { mknodat: 33, utimensat: 88, lsetxattr: 6, lgetxattr: 9, llistxattr: 12 },
} as const;
type CallName = keyof (typeof NUMBERS)['x64'];

/** File calls that Node has none for. Links at the end of a path are never followed. */
export class FileSystemCalls {
  readonly #kernel: Kernel;
  readonly #times = Buffer.alloc(32);
  #value = Buffer.alloc(4096);
  #names = Buffer.alloc(4096);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** `mode` with the type of file in it. */
  makeNode(path: string, mode: number, device: bigint): void {
    if (path.isWellFormed()) this.#kernel.call('mknod', path, mode, device);
    else this.#raw('mknodat', AT_FDCWD, path, mode, Number(device));
  }

  /** A character device 0:0, which hides what is below it. */
  makeWhiteout(path: string): void {
    this.makeNode(path, S_IFCHR, 0n);
  }

  setTime(path: string, { seconds, nanoseconds }: FileTime): void {
    for (const at of [0, 16]) {
      this.#times.writeBigInt64LE(BigInt(seconds), at);
      this.#times.writeBigInt64LE(BigInt(nanoseconds), at + 8);
    }
    if (path.isWellFormed()) this.#kernel.call('utimensat', AT_FDCWD, path, this.#times, AT_SYMLINK_NOFOLLOW);
    else this.#raw('utimensat', AT_FDCWD, path, this.#times, AT_SYMLINK_NOFOLLOW);
  }

  setXattr(path: string, name: string, value: Uint8Array): void {
    // An empty buffer has no address to hand over.
    const bytes = value.length > 0 ? Buffer.from(value) : Buffer.alloc(1);
    if (path.isWellFormed()) this.#kernel.call('lsetxattr', path, name, bytes, BigInt(value.length), 0);
    else this.#raw('lsetxattr', path, name, bytes, value.length, 0);
  }

  /** `undefined`: it has none of that name, or cannot have any. */
  getXattr(path: string, name: string): Buffer | undefined {
    try {
      const room = this.#value.length;
      const length = path.isWellFormed()
        ? this.#kernel.call('lgetxattr', path, name, this.#value, BigInt(room))
        : this.#raw('lgetxattr', path, name, this.#value, room);
      return Buffer.from(this.#value.subarray(0, length));
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENODATA' || code === 'EOPNOTSUPP') return undefined;
      if (code !== 'ERANGE') throw error;
      this.#value = Buffer.alloc(65_536);
      return this.getXattr(path, name);
    }
  }

  listXattrs(path: string): string[] {
    try {
      const room = this.#names.length;
      const length = path.isWellFormed()
        ? this.#kernel.call('llistxattr', path, this.#names, BigInt(room))
        : this.#raw('llistxattr', path, this.#names, room);
      if (length === 0) return [];
      return this.#names.toString('utf8', 0, length - 1).split('\0');
    } catch (error) {
      const code = codeOf(error);
      if (code === 'EOPNOTSUPP') return [];
      if (code !== 'ERANGE') throw error;
      this.#names = Buffer.alloc(65_536);
      return this.listXattrs(path);
    }
  }

  makeOpaque(path: string): void {
    this.setXattr(path, OPAQUE, OPAQUE_VALUE);
  }

  isOpaque(path: string): boolean {
    return this.getXattr(path, OPAQUE)?.equals(OPAQUE_VALUE) ?? false;
  }

  #raw(call: CallName, ...args: readonly (string | number | Uint8Array)[]): number {
    const numbers = NUMBERS[process.arch as keyof typeof NUMBERS];
    if (!numbers) throw new Error(`the system calls of ${process.arch} are not known`);
    const words = args.map((arg) =>
      typeof arg === 'string' ? Buffer.concat([encodeName(arg), Buffer.alloc(1)]) : arg,
    );
    return this.#kernel.syscall(call, numbers[call], ...words);
  }
}

/** A device number as the kernel keeps it. Source: glibc manual, `makedev`. */
export function deviceNumber(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((b & 0xffffff00n) << 12n) | ((a & 0xfffn) << 8n) | (b & 0xffn);
}

/** A time that `stat` has told in nanoseconds since the epoch. */
export function fileTime(nanoseconds: bigint): FileTime {
  const part = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((nanoseconds - part) / 1_000_000_000n), nanoseconds: Number(part) };
}

export function majorOf(device: bigint): number {
  return Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn));
}

export function minorOf(device: bigint): number {
  return Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn));
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code;
}
