import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';

/**
 * Where the sandboxes' users live on the host: a range that no distribution gives to anyone
 * (systemd's "Users, Groups, UIDs and GIDs" lists 1879048192 and up as unused).
 */
const HOST_BASE = 1_879_048_192;
const RANGE = 65_534;
const FIRST_USER = 10_000;

/** Lambda's own. */
export const SANDBOX_GROUP = 990;

/** A user namespace that sandboxes are started in; a user of it is nobody on the host. */
export interface UserNamespace {
  readonly fd: number;
  /** A user id, as seen inside, that was not handed out lately: per-user limits of the kernel are not shared. */
  nextUser(): number;
  /** The host's number for a user or group of the inside. */
  hostId(inside: number): number;
  close(): void;
}

/** Makes one; needs root. It lives as long as its descriptor, so it cannot be left behind. */
export async function createUserNamespace(): Promise<UserNamespace> {
  const holder = spawn('unshare', ['--user', 'sh', '-c', 'echo; read _'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  try {
    const exited = once(holder, 'exit').then(([code]) => {
      throw new Error(`unshare --user ended with ${code}`);
    });
    await Promise.race([once(holder.stdout, 'data'), exited]);
    exited.catch(() => {});
    const map = `0 ${HOST_BASE} ${RANGE}\n`;
    writeFileSync(`/proc/${holder.pid}/uid_map`, map);
    writeFileSync(`/proc/${holder.pid}/gid_map`, map);
    const fd = openSync(`/proc/${holder.pid}/ns/user`, 'r');
    let count = 0;
    return {
      fd,
      nextUser: () => FIRST_USER + (count++ % (RANGE - FIRST_USER)),
      hostId: (inside) => HOST_BASE + inside,
      close: () => closeSync(fd),
    };
  } finally {
    holder.kill('SIGKILL');
  }
}
