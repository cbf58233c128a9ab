import { writeFileSync } from 'node:fs';
import type { Endpoint } from '../network/index.ts';

interface NameResolution {
  readonly nameServers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const LOOPBACK = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** `/etc/hosts`: this machine, what was asked for (`name:address`), and the container's own addresses. */
export function hostsFile(options: {
  readonly hostname: string;
  readonly domainname?: string;
  readonly endpoints: readonly Pick<Endpoint, 'ipv4' | 'ipv6' | 'ipv4Gateway'>[];
  readonly extraHosts: readonly string[];
  readonly links?: readonly { readonly address: string; readonly names: readonly string[] }[];
}): string {
  const gateway = options.endpoints.find(({ ipv4Gateway }) => ipv4Gateway)?.ipv4Gateway;
  const extra = options.extraHosts.flatMap((entry) => {
    const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
    if (name === undefined || address === undefined) return [];
    const target = address === 'host-gateway' ? gateway : address.replace(/^\[(.*)\]$/, '$1');
    return target === undefined ? [] : [`${target}\t${name}`];
  });
  const linked = (options.links ?? []).map(({ address, names }) => `${address}\t${names.join(' ')}`);
  const name = options.domainname ? `${options.hostname}.${options.domainname} ${options.hostname}` : options.hostname;
  const own = options.endpoints.flatMap(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [`${address}\t${name}`])),
  );
  return `${[...LOOPBACK, ...extra, ...linked, ...own].join('\n')}\n`;
}

/** `/etc/resolv.conf`. Source: `resolv.conf(5)`. */
export function resolvConf({ nameServers, search, options }: NameResolution): string {
  const lines = nameServers.map((server) => `nameserver ${server}`);
  if (search.length > 0 && !(search.length === 1 && search[0] === '.')) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

const HOST_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

/** Whether it may stand in a file of names: one that holds a line's end would write lines of its own. */
export function isHostName(name: string): boolean {
  return name.length <= 253 && HOST_NAME.test(name);
}

/** Writes a file that may be mounted in a running container: in place, because a new file would not be seen there. */
export function writeInPlace(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o644 });
}
