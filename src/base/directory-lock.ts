import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** Held as long as this process lives, or until released. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Someone else holds the directory. */
export class DirectoryInUseError extends Error {
  readonly directory: string;
  /** Process that holds it, when known. */
  readonly pid: number | undefined;
  constructor(directory: string, pid: number | undefined) {
    super(`${directory} is in use${pid === undefined ? '' : ` by process ${pid}`}`);
    this.name = 'DirectoryInUseError';
    this.directory = directory;
    this.pid = pid;
  }
}

const HOLDER = 'lock';

/**
 * Takes a directory for this process alone, making it if need be. Rejects with `DirectoryInUseError`. A lock dies with
 * its process, however that ends: on Linux it is a socket in the abstract namespace, named after the directory's
 * inode, which the kernel removes; the file `lock` only tells who holds it. Elsewhere the file is the lock, and one
 * whose process is gone does not count.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, HOLDER);
  const socket = process.platform === 'linux' ? await listenAbstract(await socketName(directory)) : undefined;
  const holder = await readHolder(file);
  const taken = process.platform === 'linux' ? socket === undefined : holder !== undefined && isAlive(holder);
  if (taken) throw new DirectoryInUseError(directory, holder);
  await writeFile(file, `${process.pid}\n`, { mode: 0o600 });
  return {
    release: async () => {
      await rm(file, { force: true });
      if (socket) await new Promise((resolve) => socket.close(resolve));
    },
  };
}

async function socketName(directory: string): Promise<string> {
  const { dev, ino } = await stat(directory, { bigint: true });
  return `\0kobune-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 32)}`;
}

function listenAbstract(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => {
      server.unref();
      resolve(server);
    });
  });
}

async function readHolder(file: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(file, 'utf8'));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
