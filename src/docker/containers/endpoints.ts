import type { ContainerSpec } from '../../containers/index.ts';
import type { EndpointSpec, PortRequest } from '../../network/index.ts';
import { invalid } from '../shapes/shape.ts';
import type { CreateBody, EndpointSettings } from './config-shape.ts';

/** Networks on which containers have only the addresses they are given, and are not found by other names. */
const DEFAULT_NETWORK = 'bridge';

type NetworkPart = ContainerSpec['network'];

/** Where a container is connected: `NetworkMode`, `NetworkingConfig` and `Links`. */
export function readNetwork(body: CreateBody, ports: readonly PortRequest[], api: number): NetworkPart {
  const { HostConfig: host } = body;
  const mode = body.NetworkDisabled ? 'none' : normalizedMode(host.NetworkMode);
  const settings = Object.entries(body.NetworkingConfig.EndpointsConfig ?? {});
  if (mode.startsWith('container:')) {
    checkShared(body, ports);
    const container = mode.slice('container:'.length);
    if (container === '') throw invalid('Invalid network mode: invalid container format container:<name|id>');
    return { mode: 'container', container };
  }
  if (mode === 'none' || mode === 'host') {
    if (host.Links?.length)
      throw invalid(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    // What publishes ports of the host's own network would do nothing: dockerd drops it, with a warning.
    return { mode };
  }
  if (api < 44 && settings.length > 1) {
    throw invalid(`Container cannot be connected to network endpoints: ${settings.map(([name]) => name).join(', ')}`);
  }
  return { mode: 'bridge', endpoints: readEndpoints(body, mode, settings), ports };
}

/** `default` and nothing are the default network. */
export function normalizedMode(mode: string): string {
  return mode === '' || mode === 'default' ? DEFAULT_NETWORK : mode;
}

type NamedSettings = readonly [string, EndpointSettings | null];

function readEndpoints(body: CreateBody, mode: string, settings: readonly NamedSettings[]): EndpointSpec[] {
  const { Links: links } = body.HostConfig;
  const all = settings.some(([name]) => normalizedMode(name) === mode)
    ? settings
    : [[mode, null] as NamedSettings, ...settings];
  const ordered = all.toSorted(
    ([one, a], [other, b]) =>
      (b?.GwPriority ?? 0) - (a?.GwPriority ?? 0) ||
      Number(normalizedMode(other) === mode) - Number(normalizedMode(one) === mode) ||
      one.localeCompare(other),
  );
  return ordered.map(([name, given]) => {
    const endpoint = toEndpointSpec(normalizedMode(name), given);
    if (normalizedMode(name) !== mode) return endpoint;
    const mac = endpoint.mac ?? (body.MacAddress === '' ? undefined : body.MacAddress);
    const allLinks = [...(endpoint.links ?? []), ...(links ?? [])];
    return {
      ...endpoint,
      ...(mac === undefined ? {} : { mac }),
      ...(allLinks.length === 0 ? {} : { links: allLinks }),
    };
  });
}

/** What is asked of one network. Throws dockerd's words for what the default network cannot give. */
export function toEndpointSpec(network: string, settings: EndpointSettings | null): EndpointSpec {
  if (settings === null) return { network };
  const { IPv4Address: ipv4 = '', IPv6Address: ipv6 = '' } = settings.IPAMConfig ?? {};
  const aliases = settings.Aliases ?? [];
  if (Object.keys(settings.DriverOpts ?? {}).length > 0) {
    throw invalid(`invalid config for network ${network}: DriverOpts is not supported`);
  }
  if (network === DEFAULT_NETWORK && (ipv4 !== '' || ipv6 !== '')) {
    throw invalid(
      `invalid config for network ${network}: invalid endpoint settings:\nuser specified IP address is supported on user defined networks only`,
    );
  }
  if (network === DEFAULT_NETWORK && aliases.length > 0) {
    throw invalid(
      `invalid config for network ${network}: invalid endpoint settings:\nnetwork-scoped aliases are only supported for user-defined networks`,
    );
  }
  return {
    network,
    ...(ipv4 === '' ? {} : { ipv4 }),
    ...(ipv6 === '' ? {} : { ipv6 }),
    ...(settings.MacAddress === '' ? {} : { mac: settings.MacAddress }),
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(settings.Links?.length ? { links: settings.Links } : {}),
  };
}

/** A network that another container has is that container's: nothing of it can be set. */
function checkShared(body: CreateBody, ports: readonly PortRequest[]): void {
  const { HostConfig: host } = body;
  const conflicts: readonly [boolean, string][] = [
    [body.Hostname !== '', 'hostname and the network mode'],
    [
      Boolean(host.Links?.length),
      "container type network can't be used with links. This would result in undefined behavior",
    ],
    [Boolean(host.Dns?.length), 'dns and the network mode'],
    [Boolean(host.ExtraHosts?.length), 'custom host-to-IP mapping and the network mode'],
    [body.MacAddress !== '', 'mac-address and the network mode'],
    [ports.length > 0 || host.PublishAllPorts, 'port publishing and the container type network mode'],
    [Object.keys(body.ExposedPorts ?? {}).length > 0, 'port exposing and the container type network mode'],
  ];
  const conflict = conflicts.find(([is]) => is);
  if (conflict !== undefined) throw invalid(`conflicting options: ${conflict[1]}`);
}
