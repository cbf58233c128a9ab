import { chmod, chown, open as openFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';

/** Connections of one step to an agent at a time. */
const MAX_CONNECTIONS = 64;

/**
 * A socket of a step's own that leads to an SSH agent: with the owner and mode that the step asks for, and gone with it. Answers how
 * to close it.
 */
export async function openAgentSocket(
  path: string,
  agent: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<() => Promise<void>> {
  // The path itself may be longer than the address of a socket can be (108 bytes).
  const directory = await openFile(dirname(path), 'r');
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(agent);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  const close = async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
    await directory.close();
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`/proc/self/fd/${directory.fd}/${basename(path)}`, resolve);
    });
    await chown(path, uid, gid);
    await chmod(path, mode);
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}
