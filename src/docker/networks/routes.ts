import { ServiceError } from '../../base/errors.ts';
import type { Network, NetworkSpec } from '../../network/index.ts';
import { endpointSettings } from '../containers/config-shape.ts';
import { normalizedMode, toEndpointSpec } from '../containers/endpoints.ts';
import { type Answer, type Call, empty, json, type Route } from '../server/route.ts';
import { namePattern, readFilters } from '../shapes/filters.ts';
import { flag, invalid, list, map, nullable, object, optional, type Shaped, text } from '../shapes/shape.ts';
import { readPast } from '../shapes/timestamp.ts';
import { networkJson } from './network-json.ts';

const range = object({
  Subnet: text,
  IPRange: text,
  Gateway: text,
  AuxiliaryAddresses: nullable(map(text)),
  AuxAddress: nullable(map(text)),
});

const networkBody = object(
  {
    Name: text,
    Driver: text,
    Internal: flag,
    Attachable: flag,
    EnableIPv4: optional(flag),
    EnableIPv6: flag,
    IPAM: nullable(object({ Driver: text, Config: nullable(list(range)), Options: nullable(map(text)) })),
    Options: nullable(map(text)),
    Labels: nullable(map(text)),
    Scope: text,
  },
  {
    passed: ['CheckDuplicate'],
    refused: {
      ConfigOnly: 'networks are made, not only described',
      ConfigFrom: 'networks are made, not only described',
      Ingress: 'it is for swarms',
    },
  },
);

async function networkCreate(call: Call): Promise<Answer> {
  const body = await call.json(networkBody);
  const spec = toNetworkSpec(body);
  const networks = await call.host.networks();
  const { network, warning } = await networks.create(spec);
  return json({ Id: network.id, Warning: warning ?? '' }, 201);
}

/** Turns a request for a network into what the networks' room makes. */
export function toNetworkSpec(body: Shaped<typeof networkBody>): NetworkSpec {
  if (body.Name === '') throw invalid('network name cannot be empty');
  if (!['', 'bridge', 'default'].includes(body.Driver)) {
    throw new ServiceError(
      'PluginNotFound',
      `could not find plugin ${body.Driver} in v1 plugin registry: plugin "${body.Driver}" not found: networks are of driver bridge`,
      { status: 404 },
    );
  }
  if (!['', 'local'].includes(body.Scope)) throw invalid(`Scope ${body.Scope} is not supported: networks are local`);
  if (body.EnableIPv4 === false) throw invalid('EnableIPv4: false is not supported: networks have IPv4');
  const ipam = body.IPAM;
  if (!['', 'default'].includes(ipam?.Driver ?? ''))
    throw invalid(`IPAM.Driver ${ipam?.Driver} is not supported: default is`);
  if (Object.keys(ipam?.Options ?? {}).length > 0) throw invalid('IPAM.Options is not supported');
  const ranges = (ipam?.Config ?? [])
    .filter((entry) => entry.Subnet !== '' || entry.Gateway !== '' || entry.IPRange !== '')
    .map(({ Subnet, IPRange, Gateway, AuxiliaryAddresses, AuxAddress }) => {
      if (Subnet === '') throw invalid('invalid network config: a gateway or a range needs its subnet');
      const named = AuxiliaryAddresses ?? AuxAddress;
      return {
        subnet: Subnet,
        ...(IPRange === '' ? {} : { ipRange: IPRange }),
        ...(Gateway === '' ? {} : { gateway: Gateway }),
        ...(named === null ? {} : { auxiliaryAddresses: named }),
      };
    });
  return {
    name: body.Name,
    driver: 'bridge',
    ...(ranges.length > 0 ? { ranges } : {}),
    internal: body.Internal,
    ipv6: body.EnableIPv6,
    attachable: body.Attachable,
    labels: body.Labels ?? {},
    options: body.Options ?? {},
  };
}

export { networkBody };

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

async function networkList(call: Call): Promise<Answer> {
  const filters = readFilters(call.query, FILTERS);
  const types = filters.get('type');
  if (types.some((type) => type !== 'builtin' && type !== 'custom')) throw invalid(`invalid filter 'type=${types[0]}'`);
  const [names, ids] = [filters.get('name').map(namePattern), filters.get('id').map(namePattern)];
  const dangling = filters.flag('dangling');
  const networks = await call.host.networks();
  const shown = (await networks.list()).filter(
    (network) =>
      filters.some('driver', (driver) => network.driver === driver) &&
      filters.some('scope', (scope) => scope === 'local') &&
      filters.some('type', (type) => (type === 'builtin') === isBuiltIn(network)) &&
      filters.matchLabels(network.labels) &&
      (names.length === 0 || names.some((fits) => fits(network.name))) &&
      (ids.length === 0 || ids.some((fits) => fits(network.id))) &&
      (dangling === undefined || dangling === (network.endpoints.size === 0 && !isBuiltIn(network))),
  );
  return json(shown.map((network) => networkJson(network, call.api, call.api < 28)));
}

function isBuiltIn({ name }: Network): boolean {
  return name === 'bridge' || name === 'host' || name === 'none';
}

async function networkInspect(call: Call): Promise<Answer> {
  const scope = call.query.text('scope');
  const network = await find(call);
  if (scope !== '' && scope !== 'local') throw notFound(call.parameters.id!);
  return json(networkJson(network, call.api, true));
}

async function find(call: Call): Promise<Network> {
  const id = call.parameters.id!;
  const network = await (await call.host.networks()).find(id);
  if (network === undefined) throw notFound(id);
  return network;
}

function notFound(id: string): ServiceError {
  return new ServiceError('NetworkNotFound', `network ${id} not found`, { status: 404 });
}

async function networkDelete(call: Call): Promise<Answer> {
  const network = await find(call);
  if (isBuiltIn(network)) {
    const message = `${network.name} is a pre-defined network and cannot be removed`;
    throw new ServiceError('Forbidden', message, { status: 403 });
  }
  await (await call.host.networks()).remove(network.id);
  return empty();
}

const connectBody = object({ Container: text, EndpointConfig: nullable(endpointSettings) });

async function networkConnect(call: Call): Promise<Answer> {
  const { Container: container, EndpointConfig: settings } = await call.json(connectBody);
  const network = await find(call);
  if (container === '') throw invalid('no container is named');
  const engine = await call.host.engine();
  // The name decides which settings the network allows.
  const endpoint = toEndpointSpec(normalizedMode(network.name), settings);
  await engine.connectNetwork(container, { ...endpoint, network: network.name });
  return empty(200);
}

const disconnectBody = object({ Container: text, Force: flag });

async function networkDisconnect(call: Call): Promise<Answer> {
  const { Container: container, Force: force } = await call.json(disconnectBody);
  const network = await find(call);
  if (container === '') throw invalid('no container is named');
  await (await call.host.engine()).disconnectNetwork(container, network.name, force);
  return empty(200);
}

async function networkPrune(call: Call): Promise<Answer> {
  const { host } = call;
  const filters = readFilters(call.query, ['label', 'label!', 'until']);
  const limits = filters.get('until').map((value) => readPast(value, Date.now(), 'filter until'));
  const names = await (await host.networks()).prune(
    ({ labels, created }) => filters.matchLabels(labels) && limits.every((limit) => created < limit),
  );
  return json({ NetworksDeleted: names.length > 0 ? names : null });
}

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', operation: 'NetworkList', handle: networkList },
  { method: 'POST', path: '/networks/create', operation: 'NetworkCreate', handle: networkCreate },
  { method: 'POST', path: '/networks/prune', operation: 'NetworkPrune', since: 25, handle: networkPrune },
  { method: 'GET', path: '/networks/{id}', operation: 'NetworkInspect', handle: networkInspect },
  { method: 'DELETE', path: '/networks/{id}', operation: 'NetworkDelete', handle: networkDelete },
  { method: 'POST', path: '/networks/{id}/connect', operation: 'NetworkConnect', handle: networkConnect },
  { method: 'POST', path: '/networks/{id}/disconnect', operation: 'NetworkDisconnect', handle: networkDisconnect },
];
