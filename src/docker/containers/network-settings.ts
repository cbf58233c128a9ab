import type { Container } from '../../containers/index.ts';
import type { Endpoint, EndpointSpec } from '../../network/index.ts';
import { portMap } from './ports.ts';

/** A container's place on a network as the API tells it. */
export function endpointJson(spec: EndpointSpec | undefined, endpoint: Endpoint | undefined, api: number): object {
  const shortId = endpoint?.containerId.slice(0, 12);
  const aliases = [...(endpoint?.aliases ?? spec?.aliases ?? [])];
  // Until 1.44 the container's short ID was listed as an alias; since then it is a DNS name.
  if (api < 45 && shortId !== undefined && endpoint?.networkName !== 'bridge' && !aliases.includes(shortId))
    aliases.push(shortId);
  const fixed = spec?.ipv4 !== undefined || spec?.ipv6 !== undefined;
  return {
    IPAMConfig: fixed
      ? {
          ...(spec?.ipv4 === undefined ? {} : { IPv4Address: spec.ipv4 }),
          ...(spec?.ipv6 === undefined ? {} : { IPv6Address: spec.ipv6 }),
        }
      : null,
    Links: spec?.links?.length ? spec.links : null,
    Aliases: aliases.length > 0 ? aliases : null,
    ...(api >= 44 || endpoint !== undefined ? { MacAddress: endpoint?.mac ?? spec?.mac ?? '' } : {}),
    DriverOpts: null,
    ...(api >= 48 ? { GwPriority: 0 } : {}),
    NetworkID: endpoint?.networkId ?? '',
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.ipv4Gateway ?? '',
    IPAddress: endpoint?.ipv4 ?? '',
    IPPrefixLen: endpoint?.ipv4PrefixLength ?? 0,
    IPv6Gateway: endpoint?.ipv6Gateway ?? '',
    GlobalIPv6Address: endpoint?.ipv6 ?? '',
    GlobalIPv6PrefixLen: endpoint?.ipv6PrefixLength ?? 0,
    ...(api >= 44 ? { DNSNames: endpoint?.dnsNames.length ? endpoint.dnsNames : null } : {}),
  };
}

/** `Networks` of a container: those it is connected to, and those it will be when it starts. */
export function networksOf(container: Container, api: number): Record<string, object> {
  const { network } = container.spec;
  if (network.mode === 'container') return {};
  if (network.mode !== 'bridge') return { [network.mode]: endpointJson(undefined, undefined, api) };
  const live = new Map(container.endpoints.map((endpoint) => [endpoint.networkName, endpoint]));
  const told = network.endpoints.map((spec) => {
    const endpoint =
      live.get(spec.network) ?? container.endpoints.find(({ networkId }) => networkId.startsWith(spec.network));
    if (endpoint !== undefined) live.delete(endpoint.networkName);
    return [endpoint?.networkName ?? spec.network, endpointJson(spec, endpoint, api)] as const;
  });
  return Object.fromEntries([
    ...told,
    ...[...live].map(([name, endpoint]) => [name, endpointJson(undefined, endpoint, api)] as const),
  ]);
}

/** `NetworkSettings` of an inspection. The members outside `Networks` are those of the default network. */
export function networkSettings(container: Container, api: number): object {
  const onDefault = container.endpoints.find(({ networkName }) => networkName === 'bridge');
  return {
    Bridge: '',
    SandboxID: container.state.pid === 0 ? '' : container.id,
    SandboxKey: container.state.pid === 0 ? '' : `/proc/${container.state.pid}/ns/net`,
    Ports: container.state.pid === 0 ? {} : portMap(container.spec.exposedPorts, container.ports),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: onDefault?.id ?? '',
    Gateway: onDefault?.ipv4Gateway ?? '',
    GlobalIPv6Address: onDefault?.ipv6 ?? '',
    GlobalIPv6PrefixLen: onDefault?.ipv6PrefixLength ?? 0,
    IPAddress: onDefault?.ipv4 ?? '',
    IPPrefixLen: onDefault?.ipv4PrefixLength ?? 0,
    IPv6Gateway: onDefault?.ipv6Gateway ?? '',
    MacAddress: onDefault?.mac ?? '',
    Networks: networksOf(container, api),
  };
}
