import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../base/errors.ts';

/** `sun_path` of Linux, without its closing zero. Source: unix(7). */
const LONGEST_PATH = 107;

/**
 * Lets `server` listen on a socket that only its owner can use, from the first moment: it is made in a directory of its own and then
 * put in its place, where it replaces one that a killed run has left. Answers a function that takes it away again.
 */
export async function listenOnFile(server: Server, path: string): Promise<() => Promise<void>> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new UserError(`The path of the Docker socket is longer than ${LONGEST_PATH} bytes: ${path}`, {
      hint: 'choose a data directory with a shorter path',
    });
  }
  await mkdir(dirname(path), { recursive: true });
  if (await answers(path)) throw new UserError(`Something else listens on ${path}`, { hint: 'stop it first' });
  const nursery = await mkdtemp(`${dirname(path)}/.`);
  const newborn = join(nursery, basename(path).slice(0, 1));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: newborn }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    await chmod(newborn, 0o600);
    await rename(newborn, path);
  } finally {
    await rm(nursery, { recursive: true, force: true });
  }
  const { ino } = await lstat(path);
  return async () => {
    const present = await lstat(path).catch(() => undefined);
    if (present?.ino === ino) await rm(path, { force: true });
  };
}

/** Whether somebody listens there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
