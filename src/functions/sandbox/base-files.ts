import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { SANDBOX_GROUP, SANDBOX_USER } from './user-namespace.ts';

/** Directories of the system that a runtime needs. In merged-/usr systems all but the first are symbolic links. */
const SYSTEM_DIRECTORIES = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

const OWNERS_ADDITIONS = ['/usr/local', '/usr/src'];

/** Files of `/etc` that libraries read and that tell nothing of the host. */
const SYSTEM_CONFIGURATION = [
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/pki/ca-trust',
  '/etc/pki/tls/certs',
  '/etc/protocols',
  '/etc/services',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
];

/** bwrap's arguments for the file system that every sandbox starts from, before anything of its own. */
export function baseFileSystem(): string[] {
  const args: string[] = [];
  for (const directory of SYSTEM_DIRECTORIES) {
    const stat = lstatSync(directory, { throwIfNoEntry: false });
    if (!stat) continue;
    if (stat.isSymbolicLink()) args.push('--symlink', readlinkSync(directory), directory);
    else args.push('--ro-bind', directory, directory);
  }
  // Local additions of the machine's owner are none of a function's business.
  for (const directory of OWNERS_ADDITIONS) if (existsSync(directory)) args.push('--tmpfs', directory);
  for (const path of SYSTEM_CONFIGURATION) args.push('--ro-bind-try', path, path);
  args.push('--proc', '/proc', '--dev', '/dev');
  // Lambda has no shared memory file system either: what works here must work there.
  args.push('--perms', '0555', '--size', '4096', '--tmpfs', '/dev/shm', '--remount-ro', '/dev');
  args.push('--perms', '0755', '--dir', '/var/task', '--perms', '0755', '--dir', '/opt', '--dir', '/var/runtime');
  return args;
}

/** To be given after everything else was put in its place: nothing but `/tmp` can then be written. */
export function sealFileSystem(): string[] {
  const args: string[] = [];
  for (const directory of OWNERS_ADDITIONS) if (existsSync(directory)) args.push('--remount-ro', directory);
  return [...args, '--remount-ro', '/'];
}

/** Name service order: files, then the DNS; nothing of systemd's or of mDNS. */
export const NSSWITCH =
  'passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n';

/** The account database inside: the sandbox's user has the name and the numbers that it has on Lambda. */
export const PASSWD = [
  'root:x:0:0:root:/root:/sbin/nologin',
  `sbx_user1051:x:${SANDBOX_USER}:${SANDBOX_GROUP}::/home/sbx_user1051:/sbin/nologin`,
  'nobody:x:65534:65534:nobody:/:/sbin/nologin',
  '',
].join('\n');

export const GROUP = ['root:x:0:', `sbx_user1051:x:${SANDBOX_GROUP}:`, 'nogroup:x:65534:', ''].join('\n');
