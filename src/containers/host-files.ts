import { writeFileSync } from 'node:fs';
import { type Endpoint, GATEWAY_ADDRESS } from '../network/index.ts';

interface NameResolution {
  readonly nameServers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

const LOOPBACK = '127.0.0.1\tlocalhost';
const LOOPBACK_V6 = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** `/etc/hosts`: the loopback, what was asked for (`name:address`), and the container's own addresses. */
export function hostsFile(options: {
  readonly hostname: string;
  readonly domainname?: string;
  readonly endpoints: readonly Pick<Endpoint, 'ipv4' | 'ipv6'>[];
  readonly extraHosts: readonly string[];
}): string {
  // Of this machine a container on a network reaches what this cloud serves, and that is there.
  const machine = options.endpoints.length > 0 ? GATEWAY_ADDRESS : '127.0.0.1';
  const extra = options.extraHosts.flatMap((entry) => {
    const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(entry) ?? [];
    if (name === undefined || address === undefined) return [];
    const target = address === 'host-gateway' ? machine : address.replace(/^\[(.*)\]$/, '$1');
    return [`${target}\t${name}`];
  });
  const name = options.domainname ? `${options.hostname}.${options.domainname} ${options.hostname}` : options.hostname;
  // Networks without addresses of version 6 switch that version off in the container, the loopback's too; Docker leaves them out then.
  const hasV6 = options.endpoints.length === 0 || options.endpoints.some(({ ipv6 }) => ipv6 !== undefined);
  const own = options.endpoints.flatMap(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [`${address}\t${name}`])),
  );
  return `${[LOOPBACK, ...(hasV6 ? LOOPBACK_V6 : []), ...extra, ...own].join('\n')}\n`;
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
