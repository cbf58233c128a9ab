import { ServiceError } from '../base/errors.ts';
import type { Endpoint, EndpointSpec, Network } from '../network/index.ts';
import type { ContainerSpec } from './container.ts';
import { inUse, invalid } from './errors.ts';
import type { LiveContainer } from './live-container.ts';
import { writeHostFiles } from './name-resolution.ts';
import type { EngineParts } from './parts.ts';
import { hostnameOf } from './plan.ts';

type BridgeNetwork = ContainerSpec['network'] & { readonly mode: 'bridge' };

/** One more network; of a container that does not run, from its next start on. */
export function connectNetwork(
  parts: EngineParts,
  container: LiveContainer,
  endpoint: EndpointSpec,
): Promise<Endpoint> {
  return container.exclusively(async () => {
    const { record, run } = container;
    const network = await networkOf(parts, endpoint.network);
    const own = bridgeOf(record.spec);
    if (await isOn(parts, own, network)) {
      throw new ServiceError(
        'NetworkInUse',
        `endpoint with name ${record.name} already exists in network ${network.name}`,
        {
          status: 403,
        },
      );
    }
    const spec = withEndpoints(record.spec, own, [...own.endpoints, endpoint]);
    const namespace = run?.record.networkNamespace;
    if (namespace === undefined) {
      await container.save({ spec });
      return unconnected(network, container, endpoint);
    }
    const identity = { id: record.id, name: record.name, hostname: hostnameOf(record), nameServers: record.spec.dns };
    const connected = await parts.networks.attach(identity, { path: namespace }, endpoint);
    await container.save({ spec, endpoints: [...record.endpoints, connected] });
    rewriteNames(parts, container);
    return connected;
  });
}

/** One fewer. With `force`, also when it was not connected. */
export function disconnectNetwork(
  parts: EngineParts,
  container: LiveContainer,
  name: string,
  force: boolean,
): Promise<void> {
  return container.exclusively(async () => {
    const { record, run } = container;
    const network = await networkOf(parts, name);
    const own = bridgeOf(record.spec);
    const kept: EndpointSpec[] = [];
    for (const endpoint of own.endpoints) if ((await idOf(parts, endpoint)) !== network.id) kept.push(endpoint);
    if (kept.length === own.endpoints.length) {
      if (force) return;
      throw inUse(`container ${record.id} is not connected to network ${network.name}`);
    }
    const namespace = run?.record.networkNamespace;
    if (namespace !== undefined) await parts.networks.detach(record.id, network.id, { path: namespace });
    const endpoints = record.endpoints.filter(({ networkId }) => networkId !== network.id);
    await container.save({ spec: withEndpoints(record.spec, own, kept), endpoints });
    if (namespace !== undefined) rewriteNames(parts, container);
  });
}

async function networkOf(parts: EngineParts, name: string): Promise<Network> {
  const network = await parts.networks.find(name);
  if (!network) throw new ServiceError('NetworkNotFound', `network ${name} not found`, { status: 404 });
  return network;
}

async function idOf(parts: EngineParts, { network }: EndpointSpec): Promise<string | undefined> {
  return (await parts.networks.find(network))?.id;
}

async function isOn(parts: EngineParts, { endpoints }: BridgeNetwork, { id }: Network): Promise<boolean> {
  for (const endpoint of endpoints) if ((await idOf(parts, endpoint)) === id) return true;
  return false;
}

function bridgeOf({ network }: ContainerSpec): BridgeNetwork {
  if (network.mode === 'bridge') return network;
  throw invalid(`container cannot be connected to or disconnected from networks: its network mode is ${network.mode}`);
}

const withEndpoints = (spec: ContainerSpec, own: BridgeNetwork, endpoints: readonly EndpointSpec[]): ContainerSpec => ({
  ...spec,
  network: { ...own, endpoints },
});

function rewriteNames(parts: EngineParts, { record, files }: LiveContainer): void {
  const { endpoints, ports } = record;
  writeHostFiles(parts.networks, record, files, { endpoints, ports });
}

/** What is known of a connection before the container runs. */
function unconnected(network: Network, { id, record }: LiveContainer, { aliases = [] }: EndpointSpec): Endpoint {
  return {
    id: '',
    networkId: network.id,
    networkName: network.name,
    containerId: id,
    containerName: record.name,
    device: '',
    mac: '',
    ipv4: undefined,
    ipv4PrefixLength: 0,
    ipv4Gateway: undefined,
    ipv6: undefined,
    ipv6PrefixLength: 0,
    ipv6Gateway: undefined,
    aliases,
    dnsNames: [],
  };
}
