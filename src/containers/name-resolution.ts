import { mkdirSync, readFileSync } from 'node:fs';
import type { Connected, ContainerNetworks } from '../network/index.ts';
import type { ContainerFiles } from './directories.ts';
import { hostsFile, resolvConf, writeInPlace } from './host-files.ts';
import { hostnameOf } from './plan.ts';
import type { ContainerRecord } from './records.ts';

/** Writes `hosts`, `hostname` and `resolv.conf` of a container that is about to start, or whose networks have changed. */
export function writeHostFiles(
  networks: ContainerNetworks,
  record: ContainerRecord,
  files: ContainerFiles,
  connected: Connected | undefined,
): void {
  const { spec } = record;
  mkdirSync(files.directory, { recursive: true, mode: 0o711 });
  const hostname = hostnameOf(record);
  writeInPlace(files.hostname, `${hostname}\n`);
  writeInPlace(
    files.hosts,
    hostsFile({
      hostname,
      ...(spec.domainname ? { domainname: spec.domainname } : {}),
      endpoints: connected?.endpoints ?? [],
      extraHosts: spec.extraHosts,
    }),
  );
  writeInPlace(files.resolvConf, resolution(networks, record, connected));
}

function resolution(networks: ContainerNetworks, { spec }: ContainerRecord, connected: Connected | undefined): string {
  const own = readResolvConf();
  // On a network it is the network that asks the servers that were given.
  const nameServers = connected
    ? [networks.nameServer(connected.endpoints)]
    : spec.dns.length > 0
      ? spec.dns
      : own.nameServers;
  const search = spec.dnsSearch.length > 0 ? spec.dnsSearch : own.search;
  const options = spec.dnsOptions.length > 0 ? spec.dnsOptions : connected ? ['ndots:0'] : own.options;
  return resolvConf({ nameServers, search, options });
}

function readResolvConf() {
  let text = '';
  try {
    text = readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    // A machine without one resolves no names, and neither do its containers.
  }
  const values = (keyword: string) =>
    text
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([first]) => first === keyword)
      .map(([, ...rest]) => rest);
  return {
    nameServers: values('nameserver').flatMap(([server]) => server ?? []),
    search: values('search').at(-1) ?? [],
    options: values('options').flat(),
  };
}
