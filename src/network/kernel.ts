import { closeSync, openSync } from 'node:fs';

/** The part of `node:ffi` used here. Declared by hand: the module is experimental and its types move. */
interface Ffi {
  dlopen(
    path: string | null,
    definitions: Record<string, { readonly return: string; readonly arguments: readonly string[] }>,
  ): { readonly functions: Record<string, (...args: unknown[]) => unknown> };
  getInt32(pointer: unknown): number;
  getRawPointer(bytes: Uint8Array): bigint;
}

export const CLONE_FS = 0x200;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWNET = 0x40000000;

/** A kind of namespace that a single thread can enter and leave. */
export type NamespaceKind = typeof CLONE_NEWNET | typeof CLONE_NEWNS;

const NAMESPACE_FILES: Readonly<Record<NamespaceKind, string>> = {
  [CLONE_NEWNS]: '/proc/thread-self/ns/mnt',
  [CLONE_NEWNET]: '/proc/thread-self/ns/net',
};

/** An error of a system call, with `code` as Node's own errors carry it. */
export class KernelError extends Error {
  readonly code: string;
  readonly errno: number;
  constructor(call: string, errno: number) {
    const code = ERRNO_NAMES[errno] ?? `errno ${errno}`;
    super(`${call}: ${code}`);
    this.name = 'KernelError';
    this.code = code;
    this.errno = errno;
  }
}

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  16: 'EBUSY',
  17: 'EEXIST',
  18: 'EXDEV',
  19: 'ENODEV',
  20: 'ENOTDIR',
  22: 'EINVAL',
  27: 'EFBIG',
  28: 'ENOSPC',
  30: 'EROFS',
  34: 'ERANGE',
  36: 'ENAMETOOLONG',
  38: 'ENOSYS',
  39: 'ENOTEMPTY',
  40: 'ELOOP',
  54: 'EXFULL',
  61: 'ENODATA',
  95: 'EOPNOTSUPP',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  101: 'ENETUNREACH',
  105: 'ENOBUFS',
  107: 'ENOTCONN',
  122: 'EDQUOT',
};

const SIGNATURES = {
  unshare: { return: 'int32', arguments: ['int32'] },
  setns: { return: 'int32', arguments: ['int32', 'int32'] },
  fchdir: { return: 'int32', arguments: ['int32'] },
  mount: { return: 'int32', arguments: ['string', 'string', 'string', 'uint64', 'string'] },
  close_range: { return: 'int32', arguments: ['uint32', 'uint32', 'int32'] },
  pipe2: { return: 'int32', arguments: ['buffer', 'int32'] },
  umount2: { return: 'int32', arguments: ['string', 'int32'] },
  syscall: {
    return: 'int64',
    arguments: ['int64', 'int64', 'pointer', 'int64', 'pointer', 'int64', 'int64'],
  },
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  bind: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
  listen: { return: 'int32', arguments: ['int32', 'int32'] },
  connect: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
  mkfifo: { return: 'int32', arguments: ['string', 'uint32'] },
  chroot: { return: 'int32', arguments: ['string'] },
  chdir: { return: 'int32', arguments: ['string'] },
  umask: { return: 'int32', arguments: ['uint32'] },
  mknod: { return: 'int32', arguments: ['string', 'uint32', 'uint64'] },
  lsetxattr: { return: 'int32', arguments: ['string', 'string', 'buffer', 'uint64', 'int32'] },
  lgetxattr: { return: 'int64', arguments: ['string', 'string', 'buffer', 'uint64'] },
  llistxattr: { return: 'int64', arguments: ['string', 'buffer', 'uint64'] },
  lremovexattr: { return: 'int32', arguments: ['string', 'string'] },
  utimensat: { return: 'int32', arguments: ['int32', 'string', 'buffer', 'int32'] },
  syncfs: { return: 'int32', arguments: ['int32'] },
  setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
  send: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  recv: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  __errno_location: { return: 'pointer', arguments: [] },
} as const;

/** The same function for calls whose arguments may be addresses in any place. */
const INTEGER_SYSCALL = {
  syscall: { return: 'int64', arguments: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'] },
} as const;

type CallName = Exclude<keyof typeof SIGNATURES, '__errno_location' | 'syscall'>;

/**
 * Linux system calls made from this process, for what Node has no function for. All of them are synchronous, so a
 * change of the calling thread's namespace and the way back happen with nothing else running on it in between.
 */
export interface Kernel {
  /** Calls a libc function; throws {@link KernelError} when it answers a negative number. */
  call(name: CallName, ...args: readonly unknown[]): number;
  /**
   * Runs `work` with this thread in another namespace and comes back, whatever happens. `fd` is an open
   * `/proc/PID/ns/…`; `work` must not touch the file system through Node's caches nor start anything asynchronous.
   */
  within<T>(fd: number, kind: NamespaceKind, work: () => T): T;
  /** Makes a namespace, runs `prepare` in it and comes back; it lives as long as the descriptor answered. */
  create(kind: NamespaceKind, prepare: () => void): number;
  /** A raw system call by number; string and buffer arguments go in the second and fourth place. */
  raw(
    name: string,
    number: number,
    first: number,
    second: Uint8Array | undefined,
    third: number,
    fourth?: Uint8Array,
    fifth?: number,
  ): number;
  /** A raw system call by number, with up to six arguments; a buffer is handed over as its address. */
  syscall(name: string, number: number, ...args: readonly (number | Uint8Array)[]): number;
}

const CLOSE_RANGE_CLOEXEC = 4;

/**
 * Closes what this process has open in the programs that it starts from now on, but for what they are given: some
 * libraries (LMDB) open their files without that, and a monitor that outlives this process would hold them.
 */
export function keepDescriptorsToOurselves(kernel: Kernel): void {
  kernel.call('close_range', 3, 0xffffffff, CLOSE_RANGE_CLOEXEC);
}

/** Loads the C library; `undefined` where this Node has no `node:ffi` (before 26.1) or the system is not Linux. */
export function openKernel(): Kernel | undefined {
  if (process.platform !== 'linux') return undefined;
  const ffi = loadFfi();
  if (!ffi) return undefined;
  try {
    const { functions } = ffi.dlopen(null, SIGNATURES);
    const { syscall } = ffi.dlopen(null, INTEGER_SYSCALL).functions;
    return new LibcKernel(ffi, functions, syscall!);
  } catch {
    return undefined;
  }
}

/**
 * Takes the module without its "experimental" warning: the user can do nothing about it, and everything made with it
 * has another way. Only this one warning, only while loading.
 */
function loadFfi(): Ffi | undefined {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith('FFI is an experimental feature')) return;
    Reflect.apply(emitWarning, process, [warning, ...rest]);
  }) as typeof process.emitWarning;
  try {
    return process.getBuiltinModule('node:ffi') as unknown as Ffi | undefined;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

class LibcKernel implements Kernel {
  readonly #ffi: Ffi;
  readonly #functions: Record<string, (...args: unknown[]) => unknown>;
  readonly #integerSyscall: (...args: unknown[]) => unknown;
  readonly #own = new Map<number, number>();
  /** What a system call under way reads or writes. */
  readonly #handedOver = new Set<unknown>();

  constructor(
    ffi: Ffi,
    functions: Record<string, (...args: unknown[]) => unknown>,
    integerSyscall: (...args: unknown[]) => unknown,
  ) {
    this.#ffi = ffi;
    this.#functions = functions;
    this.#integerSyscall = integerSyscall;
  }

  call(name: CallName, ...args: readonly unknown[]): number {
    const result = Number(this.#functions[name]!(...args));
    if (result < 0) throw new KernelError(name, this.#errno());
    return result;
  }

  raw(
    name: string,
    number: number,
    first: number,
    second: Uint8Array | undefined,
    third: number,
    fourth?: Uint8Array,
    fifth = 0,
  ): number {
    const result = Number(
      this.#functions.syscall!(
        BigInt(number),
        BigInt(first),
        second ?? null,
        BigInt(third),
        fourth ?? null,
        BigInt(fifth),
        0n,
      ),
    );
    if (result < 0) throw new KernelError(name, this.#errno());
    return result;
  }

  syscall(name: string, number: number, ...args: readonly (number | Uint8Array)[]): number {
    // Nobody else may hold the buffers, and to the garbage collector their addresses are numbers.
    this.#handedOver.add(args);
    const words = Array.from({ length: 6 }, (_, i) => {
      const arg = args[i] ?? 0;
      return typeof arg === 'number' ? BigInt(arg) : this.#ffi.getRawPointer(arg);
    });
    const result = Number(this.#integerSyscall(BigInt(number), ...words));
    this.#handedOver.delete(args);
    if (result < 0) throw new KernelError(name, this.#errno());
    return result;
  }

  within<T>(fd: number, kind: NamespaceKind, work: () => T): T {
    return this.#away(
      kind,
      () => void this.call('setns', fd, kind),
      () => work(),
    );
  }

  create(kind: NamespaceKind, prepare: () => void): number {
    const enter = () => void this.call('unshare', kind);
    return this.#away(kind, enter, () => {
      const fd = openSync(NAMESPACE_FILES[kind], 'r');
      try {
        prepare();
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    });
  }

  #away<T>(kind: NamespaceKind, leave: () => void, work: () => T): T {
    const own = this.#ownNamespace(kind);
    if (kind === CLONE_NEWNET) {
      leave();
      try {
        return work();
      } finally {
        this.#comeBack(own, kind);
      }
    }
    // The kernel refuses a mount namespace to a thread that shares its working directory with others, and each thread
    // that this one has started since the last time shares it again.
    this.call('unshare', CLONE_FS);
    // Entering a mount namespace also moves the thread's working directory to that namespace's root.
    const directory = openSync('.', O_PATH);
    try {
      leave();
      try {
        return work();
      } finally {
        this.#comeBack(own, kind);
        this.call('fchdir', directory);
      }
    } finally {
      closeSync(directory);
    }
  }

  #comeBack(own: number, kind: NamespaceKind): void {
    try {
      this.call('setns', own, kind);
    } catch (error) {
      // Going on inside someone else's namespace would show its files and its network to the whole program.
      process.stderr.write(`kobune: cannot return from a sandbox's namespace: ${String(error)}\n`);
      process.abort();
    }
  }

  #ownNamespace(kind: NamespaceKind): number {
    let fd = this.#own.get(kind);
    if (fd === undefined) {
      fd = openSync(NAMESPACE_FILES[kind], 'r');
      this.#own.set(kind, fd);
    }
    return fd;
  }

  #errno(): number {
    return this.#ffi.getInt32(this.#functions.__errno_location!());
  }
}

/** `open(2)`'s flag for a descriptor that only names a file; Node's constants do not list it. */
export const O_PATH = 0x200000;
