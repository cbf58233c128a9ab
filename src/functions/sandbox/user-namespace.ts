import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';

/** The user and group inside, with Lambda's own numbers. */
export const SANDBOX_USER = 993;
export const SANDBOX_GROUP = 990;

/**
 * Where the users of the inside live on the host: a range that no distribution gives to anyone
 * (systemd's "Users, Groups, UIDs and GIDs" lists 1879048192 and up as unused).
 */
const HOST_BASE = 1_879_048_192;
const RANGE = 65_534;
const HOST_USER = HOST_BASE + SANDBOX_USER;
const HOST_GROUP = HOST_BASE + SANDBOX_GROUP;

/** A user namespace that sandboxes are started in; its users are nobody on the host. */
export interface UserNamespace {
  readonly fd: number;
  /** The host's numbers of the sandbox's user and group: bwrap runs as them, and so has no rights on the host either. */
  readonly hostUser: number;
  readonly hostGroup: number;
  close(): void;
}

/**
 * Makes one; needs root. It lives as long as its descriptor, so it cannot be left behind. The sandbox's user owns it,
 * which is what lets bwrap enter it, and lets bwrap's end take the sandbox with it: a process may only signal its own.
 */
export async function createUserNamespace(): Promise<UserNamespace> {
  const holder = spawn(
    'setpriv',
    [
      ...[`--reuid=${HOST_USER}`, `--regid=${HOST_GROUP}`, '--clear-groups'],
      // Some systems let only an administrator make user namespaces.
      ...['--inh-caps=+sys_admin', '--ambient-caps=+sys_admin'],
      ...['unshare', '--user', 'sh', '-c', 'echo; read _'],
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  );
  try {
    let complaint = '';
    holder.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk;
    });
    const exited = once(holder, 'close').then(([code]) => {
      throw new Error(`unshare --user ended with ${code}: ${complaint.trim()}`);
    });
    await Promise.race([once(holder.stdout, 'data'), exited]);
    exited.catch(() => {});
    const map = `0 ${HOST_BASE} ${RANGE}\n`;
    writeFileSync(`/proc/${holder.pid}/uid_map`, map);
    writeFileSync(`/proc/${holder.pid}/gid_map`, map);
    const fd = openSync(`/proc/${holder.pid}/ns/user`, 'r');
    return { fd, hostUser: HOST_USER, hostGroup: HOST_GROUP, close: () => closeSync(fd) };
  } finally {
    holder.kill('SIGKILL');
  }
}
