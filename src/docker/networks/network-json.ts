import type { Endpoint, Network } from '../../network/index.ts';
import { timeText } from '../system/machine-time.ts';

/** A network as "Inspect a network" tells it; lists leave the containers out. */
export function networkJson(network: Network, api: number, withContainers: boolean): object {
  const isBridge = network.driver === 'bridge';
  return {
    Name: network.name,
    Id: network.id,
    Created: timeText(network.created),
    Scope: 'local',
    Driver: network.driver,
    ...(api >= 48 ? { EnableIPv4: isBridge } : {}),
    EnableIPv6: network.ipv6,
    IPAM: {
      Driver: 'default',
      Options: isBridge && network.name !== 'bridge' ? {} : null,
      Config: network.ranges.map(({ subnet, ipRange, gateway, auxiliaryAddresses }) => ({
        Subnet: subnet,
        ...(ipRange === undefined ? {} : { IPRange: ipRange }),
        Gateway: gateway,
        ...(auxiliaryAddresses === undefined ? {} : { AuxiliaryAddresses: auxiliaryAddresses }),
      })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: withContainers ? containersJson(network.endpoints) : {},
    Options: network.options,
    Labels: network.labels,
  };
}

function containersJson(endpoints: ReadonlyMap<string, Endpoint>): object {
  return Object.fromEntries(
    [...endpoints].map(([id, endpoint]) => [
      id,
      {
        Name: endpoint.containerName,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.ipv4 === undefined ? '' : `${endpoint.ipv4}/${endpoint.ipv4PrefixLength}`,
        IPv6Address: endpoint.ipv6 === undefined ? '' : `${endpoint.ipv6}/${endpoint.ipv6PrefixLength}`,
      },
    ]),
  );
}
