import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Bind } from './sandbox.ts';
import { SANDBOX_GROUP, SANDBOX_USER } from './user-namespace.ts';

/** What libraries read of `/etc` and what tells nothing of the host. */
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

/** Name service order: files, then the DNS; nothing of systemd's or of mDNS. */
const NSSWITCH = 'passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n';

/** The account database inside: the sandbox's user has the name and the numbers that it has on Lambda. */
const PASSWD = [
  'root:x:0:0:root:/root:/sbin/nologin',
  `sbx_user1051:x:${SANDBOX_USER}:${SANDBOX_GROUP}::/home/sbx_user1051:/sbin/nologin`,
  'nobody:x:65534:65534:nobody:/:/sbin/nologin',
  '',
].join('\n');

const GROUP = ['root:x:0:', `sbx_user1051:x:${SANDBOX_GROUP}:`, 'nogroup:x:65534:', ''].join('\n');

/**
 * Writes the `/etc` that all sandboxes share to `directory`. One directory rather than many mounts: each mount adds a
 * quarter of a millisecond to every start.
 */
export async function writeConfiguration(
  directory: string,
  options: { readonly hostname: string; readonly nameserver: string | undefined },
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const own: Readonly<Record<string, string>> = {
    passwd: PASSWD,
    group: GROUP,
    'nsswitch.conf': NSSWITCH,
    hosts: hostsFile(options.hostname, {}),
    'resolv.conf': options.nameserver ? `nameserver ${options.nameserver}\noptions timeout:2 attempts:2\n` : '',
  };
  await Promise.all([
    ...Object.entries(own).map(([name, text]) => writeFile(join(directory, name), text, { mode: 0o644 })),
    ...SYSTEM_CONFIGURATION.map((source) => copySystem(source, join(directory, source.slice('/etc/'.length)))),
  ]);
}

/** Makes the place in the shared `/etc` for something that a sandbox shows there, where there is none. */
export function makePlace(directory: string, { source, target }: Bind): void {
  if (!target.startsWith('/etc/')) return;
  const place = join(directory, target.slice('/etc/'.length));
  if (existsSync(place)) return;
  if (statSync(source).isDirectory()) {
    mkdirSync(place, { recursive: true, mode: 0o755 });
  } else {
    mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
    writeFileSync(place, '', { mode: 0o644 });
  }
}

/** The text of `/etc/hosts`, with further names. */
export function hostsFile(hostname: string, names: Readonly<Record<string, string>>): string {
  const all = { localhost: '127.0.0.1', [hostname]: '127.0.0.1', ...names };
  return Object.entries(all)
    .map(([name, address]) => `${address} ${name}\n`)
    .join('');
}

async function copySystem(source: string, target: string): Promise<void> {
  const found = await stat(source).catch(() => undefined);
  if (!found) return;
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  // A directory's links are kept, they lead to /usr; a lone file (`localtime`) is copied itself.
  if (found.isDirectory()) await cp(source, target, { recursive: true, verbatimSymlinks: true });
  else await writeFile(target, await readFile(source), { mode: 0o644 });
}
