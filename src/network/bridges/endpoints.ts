import { GATEWAY_ADDRESS } from '../addresses.ts';
import { formatAddress, parseAddress } from '../cidr.ts';
import type { ContainerIdentity, EndpointSpec } from '../container-networks.ts';
import { type LiveNetwork, macOf } from './live-network.ts';
import { addressInUse, endpointExists, invalidNetwork, networksUnavailable, noAddressLeft } from './network-errors.ts';
import type { EndpointRecord } from './records.ts';
import type { CableSpec, InsideRoute } from './wiring.ts';

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** Of a name in DNS (RFC 1035, 2.3.4), where Docker allows more than letters, digits and hyphens. */
const DNS_NAME = /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,252})$/;
const SHORT_ID = 12;

/** Takes addresses on a network for a container. Throws when there are none, with nothing taken. */
export function makeEndpoint(
  network: LiveNetwork,
  container: ContainerIdentity,
  spec: EndpointSpec,
  device: string,
  id: string,
): EndpointRecord {
  if (network.down !== undefined) {
    throw networksUnavailable(`network ${network.record.name} is down: ${network.down}`);
  }
  if (network.endpoints.has(container.id)) throw endpointExists(container.name, network.record.name);
  const names = checkedNames(spec);
  if (spec.mac !== undefined && !isUnicastMac(spec.mac)) throw invalidNetwork(`invalid MAC address ${spec.mac}`);
  const v4 = takeAddress(network, 4, spec.ipv4, container)!;
  let v6: string | undefined;
  try {
    v6 = takeAddress(network, 6, spec.ipv6, container);
  } catch (error) {
    giveBack(network, [v4]);
    throw error;
  }
  const [range4, range6] = [4, 6].map((family) =>
    network.record.ranges.find(({ gateway }) => parseAddress(gateway)!.family === family),
  );
  const prefixLength = (family: 4 | 6) =>
    network.pools.find(({ subnet }) => subnet.family === family)?.prefixLength ?? 0;
  const endpoint: EndpointRecord = {
    id,
    networkId: network.record.id,
    networkName: network.record.name,
    containerId: container.id,
    containerName: container.name,
    device,
    mac: spec.mac?.toLowerCase() ?? macOf(v4),
    ipv4: v4,
    ipv4PrefixLength: prefixLength(4),
    ipv4Gateway: range4?.gateway,
    ipv6: v6,
    ipv6PrefixLength: v6 === undefined ? 0 : prefixLength(6),
    ipv6Gateway: v6 === undefined ? undefined : range6?.gateway,
    aliases: names.aliases,
    dnsNames: dnsNames(container, names.aliases),
    links: names.links,
    hostDevice: '',
  };
  network.place(endpoint);
  return endpoint;
}

export const addressesOf = ({ ipv4, ipv6 }: EndpointRecord): readonly string[] =>
  [ipv4, ipv6].filter((address) => address !== undefined);

export function dropEndpoint(network: LiveNetwork, endpoint: EndpointRecord): void {
  giveBack(network, addressesOf(endpoint));
  network.drop(endpoint.containerId);
}

/** All names by which others on the network find a container. */
export function dnsNames(container: ContainerIdentity, aliases: readonly string[]): readonly string[] {
  return [...new Set([container.name, ...aliases, container.id.slice(0, SHORT_ID), container.hostname])].filter(
    (name) => name !== '',
  );
}

function checkedNames({ aliases = [], links = [] }: EndpointSpec) {
  for (const alias of aliases) {
    if (!DNS_NAME.test(alias)) throw invalidNetwork(`invalid network alias ${JSON.stringify(alias)}`);
  }
  for (const link of links) {
    const [container, alias = container, ...rest] = link.split(':');
    if (!DNS_NAME.test(container!) || !DNS_NAME.test(alias!) || rest.length > 0) {
      throw invalidNetwork(`invalid link ${JSON.stringify(link)}: it is CONTAINER or CONTAINER:ALIAS`);
    }
  }
  return { aliases: [...new Set(aliases)], links: [...links] };
}

function isUnicastMac(mac: string): boolean {
  return MAC.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0 && !/^00(:00){5}$/.test(mac);
}

function takeAddress(network: LiveNetwork, family: 4 | 6, wanted: string | undefined, container: ContainerIdentity) {
  const pool = network.pools.find(({ subnet }) => subnet.family === family);
  const { name, chosen } = network.record;
  if (wanted === undefined || wanted === '') {
    if (!pool) return undefined;
    const address = pool.take(container.id);
    if (address === undefined) throw noAddressLeft(name);
    return address;
  }
  const address = parseAddress(wanted);
  if (address?.family !== family) throw invalidNetwork(`invalid IPv${family} address: ${wanted}`);
  if (!pool || chosen) {
    throw invalidNetwork(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  }
  const outcome = pool.claim(address, container.id);
  if (outcome === 'taken') throw addressInUse();
  if (outcome === 'outside') throw invalidNetwork(`no configured subnet or ip-range contain the IP address ${wanted}`);
  return formatAddress(address);
}

function giveBack(network: LiveNetwork, addresses: readonly string[]): void {
  for (const address of addresses) {
    const family = parseAddress(address)!.family;
    network.pools.find(({ subnet }) => subnet.family === family)?.release(address);
  }
}

/** The endpoint by which a container reaches the world, and the world its ports: the first that is not internal. */
export function uplinkOf<T extends { readonly networkId: string }>(
  endpoints: readonly T[],
  internal: (networkId: string) => boolean,
): T | undefined {
  return endpoints.find(({ networkId }) => !internal(networkId));
}

/** Out by the uplink; to the cloud also from where there is no way out. */
export function routesOf(
  endpoints: readonly EndpointRecord[],
  internal: (networkId: string) => boolean,
): InsideRoute[] {
  const uplink = uplinkOf(endpoints, internal);
  const toCloud = uplink ?? endpoints[0];
  const uplink6 = endpoints.find(({ networkId, ipv6Gateway }) => ipv6Gateway !== undefined && !internal(networkId));
  return [
    ...(toCloud ? [{ to: GATEWAY_ADDRESS, via: toCloud.ipv4Gateway!, device: toCloud.device }] : []),
    ...(uplink ? [{ to: undefined, via: uplink.ipv4Gateway!, device: uplink.device }] : []),
    ...(uplink6 ? [{ to: undefined, via: uplink6.ipv6Gateway!, device: uplink6.device }] : []),
  ];
}

export function cableOf(network: LiveNetwork, endpoint: EndpointRecord): CableSpec {
  return {
    bridge: network.record.bridge,
    isolated: !network.options.neighbours,
    device: endpoint.device,
    mac: endpoint.mac,
    mtu: network.options.mtu,
    addresses: [
      `${endpoint.ipv4}/${endpoint.ipv4PrefixLength}`,
      ...(endpoint.ipv6 === undefined ? [] : [`${endpoint.ipv6}/${endpoint.ipv6PrefixLength}`]),
    ],
  };
}
