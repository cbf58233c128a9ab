import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { parseAddress } from '../cidr.ts';
import type {
  Connected,
  ContainerIdentity,
  Endpoint,
  EndpointSpec,
  NetworkEvent,
  NetworkNamespace,
  PortRequest,
} from '../container-networks.ts';
import { passing } from './carrier.ts';
import { type Element, PROTOCOL_NUMBERS } from './elements.ts';
import { EndingCables } from './ending-cables.ts';
import { addressesOf, cableOf, dnsNames, dropEndpoint, makeEndpoint, routesOf, uplinkOf } from './endpoints.ts';
import type { Firewall } from './firewall.ts';
import type { LiveNetwork } from './live-network.ts';
import { networkFull, notConnected, portInUse } from './network-errors.ts';
import { DEFAULT_NETWORK } from './network-spec.ts';
import { PortUnavailable, PublishedPorts } from './published-ports.ts';
import type { ContainerRecord, EndpointRecord, NetworkRecords } from './records.ts';
import type { Wiring } from './wiring.ts';

export interface ConnectionsOptions {
  readonly wiring: Wiring;
  readonly firewall: Firewall;
  readonly records: NetworkRecords;
  readonly random: Random;
  readonly logger: Logger;
  /** By name or ID; throws `NetworkNotFound`. */
  readonly networkOf: (nameOrId: string) => LiveNetwork;
  readonly networkById: (id: string) => LiveNetwork | undefined;
  readonly emit: (event: NetworkEvent) => void;
}

/** The addresses of so many ended containers are kept in mind. */
const MOST_REMEMBERED = 1024;

/** Which containers are on which networks, and which ports of this machine lead to them. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #containers = new Map<string, ContainerRecord>();
  readonly #ports = new Map<string, PublishedPorts>();
  readonly #ending: EndingCables;
  /** What is asked about one container happens one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#ending = new EndingCables(options.wiring);
  }

  /**
   * Takes up what the store knows, after a start: containers that are still connected stay so, and answers what the
   * rules need for them. Cables that were lost are laid anew where the namespace lives; where it does not, the
   * container has ended.
   */
  async restore(records: readonly ContainerRecord[]): Promise<readonly Element[]> {
    const elements: Element[] = [];
    for (const record of [...records].sort((one, other) => one.released - other.released)) {
      const known = record.endpoints.filter(({ networkId }) => this.#options.networkById(networkId) !== undefined);
      if (record.connected) {
        const endpoints: EndpointRecord[] = [];
        for (const endpoint of known) endpoints.push(...(await this.#takeUp(record, endpoint)));
        const relaid = endpoints.some((endpoint) => !record.endpoints.includes(endpoint));
        if (relaid) await this.#options.wiring.setRoutes(record.namespace, routesOf(endpoints, this.#isInternal));
        if (endpoints.length > 0 || record.endpoints.length === 0) {
          if (relaid || endpoints.length < record.endpoints.length) await this.#save({ ...record, endpoints });
          elements.push(...(await this.#keep({ ...record, endpoints })));
          continue;
        }
      }
      this.#containers.set(record.id, record);
      for (const endpoint of known) this.#rememberAddresses(endpoint);
      if (record.connected) await this.#remember({ ...record, endpoints: known });
    }
    return elements;
  }

  get(containerId: string): ContainerRecord | undefined {
    const record = this.#containers.get(containerId);
    return record?.connected ? record : undefined;
  }

  /** Those that are connected. */
  get connected(): readonly ContainerRecord[] {
    return [...this.#containers.values()].filter(({ connected }) => connected);
  }

  connect(
    container: ContainerIdentity,
    namespace: NetworkNamespace,
    specs: readonly EndpointSpec[],
    requests: readonly PortRequest[],
  ): Promise<Connected> {
    return this.#inTurn(container.id, async () => {
      await this.#release(container.id);
      const endpoints: EndpointRecord[] = [];
      const ports = new PublishedPorts();
      try {
        for (const spec of specs) endpoints.push(this.#makeEndpoint(container, spec, endpoints));
        await this.#publish(container, ports, requests, endpoints);
        const placed = await this.#plug(namespace, endpoints, endpoints);
        const { added } = ports.lead(this.#uplinkOf(placed));
        const { id, name, hostname, nameServers = [] } = container;
        await Promise.all([
          this.#options.firewall.update({ add: added }),
          this.#save({
            id,
            name,
            hostname,
            nameServers,
            connected: true,
            namespace: namespace.path,
            endpoints: placed,
            requests,
            ports: ports.ports,
            released: 0,
          }),
        ]);
        this.#ports.set(container.id, ports);
        for (const endpoint of placed) this.#tell('connect', endpoint);
        return { endpoints: placed, ports: ports.ports };
      } catch (error) {
        await this.#options.firewall.update({ remove: ports.lead(undefined).removed }).catch(() => {});
        await ports.close();
        for (const endpoint of endpoints) {
          const network = this.#network(endpoint);
          const { hostDevice = '' } = network.endpoints.get(container.id) ?? {};
          if (hostDevice !== '') this.#ending.add(hostDevice, addressesOf(endpoint));
          dropEndpoint(network, endpoint);
        }
        await this.#forget(container.id, endpoints);
        throw error;
      }
    });
  }

  attach(container: ContainerIdentity, namespace: NetworkNamespace, spec: EndpointSpec): Promise<Endpoint> {
    return this.#inTurn(container.id, async () => {
      const record = this.get(container.id);
      const network = this.#options.networkOf(spec.network);
      if (!record) throw notConnected(container.name, network.record.name);
      const endpoint = this.#makeEndpoint(container, spec, record.endpoints);
      try {
        const [placed] = await this.#plug(namespace, [endpoint], [...record.endpoints, endpoint]);
        const endpoints = [...record.endpoints, placed!];
        const ports = this.#ports.get(container.id)!;
        // On internal networks alone there was nothing that they could lead to.
        if (ports.ports.length === 0) await this.#publish(container, ports, record.requests, endpoints);
        await this.#settle({ ...record, endpoints, ports: ports.ports });
        this.#tell('connect', placed!);
        return placed!;
      } catch (error) {
        const { hostDevice = '' } = network.endpoints.get(container.id) ?? {};
        if (hostDevice !== '') {
          const { wiring } = this.#options;
          await wiring.removeLinks([hostDevice]);
          // Those by way of it went with it.
          await wiring.setRoutes(record.namespace, routesOf(record.endpoints, this.#isInternal));
        }
        dropEndpoint(network, endpoint);
        throw error;
      }
    });
  }

  detach(containerId: string, network: string, namespace: NetworkNamespace | undefined): Promise<void> {
    return this.#inTurn(containerId, async () => {
      const live = this.#options.networkOf(network);
      const record = this.get(containerId);
      const endpoint = record?.endpoints.find(({ networkId }) => networkId === live.record.id);
      if (!record || !endpoint) {
        if (namespace === undefined) return;
        throw notConnected(record?.name ?? containerId, live.record.name);
      }
      const endpoints = record.endpoints.filter((other) => other !== endpoint);
      await this.#options.wiring.removeLinks([endpoint.hostDevice]);
      if (endpoints.length > 0) {
        await this.#options.wiring.setRoutes(record.namespace, routesOf(endpoints, this.#isInternal));
      }
      await this.#settle({ ...record, endpoints });
      dropEndpoint(live, endpoint);
      this.#tell('disconnect', endpoint);
    });
  }

  rename(containerId: string, name: string): Promise<void> {
    return this.#inTurn(containerId, async () => {
      const record = this.get(containerId);
      if (!record) return;
      const endpoints = record.endpoints.map((endpoint) => ({
        ...endpoint,
        containerName: name,
        dnsNames: dnsNames({ ...record, name }, endpoint.aliases),
      }));
      await this.#save({ ...record, name, endpoints });
      for (const endpoint of endpoints) this.#network(endpoint).place(endpoint);
    });
  }

  /** The container has ended. */
  release(containerId: string): Promise<void> {
    return this.#inTurn(containerId, () => this.#release(containerId));
  }

  /** Ends what this process does for containers; those that are connected stay so. */
  async close(): Promise<void> {
    await Promise.all([...this.#turns.values()].map((turn) => turn.catch(() => {})));
    await Promise.all([...this.#ports.values()].map((ports) => ports.close()));
    await this.#ending.close();
  }

  async #release(containerId: string): Promise<void> {
    const record = this.get(containerId);
    if (!record) return;
    const { wiring, firewall } = this.#options;
    const ports = this.#ports.get(containerId);
    this.#ports.delete(containerId);
    const removed = ports?.lead(undefined).removed ?? [];
    await Promise.all([firewall.update({ remove: removed }), ports?.close()]);
    await this.#forgetFlows(removed);
    await wiring.removeNamespace(record.namespace);
    for (const endpoint of record.endpoints) {
      this.#ending.add(endpoint.hostDevice, addressesOf(endpoint));
      dropEndpoint(this.#network(endpoint), endpoint);
    }
    await this.#remember(record);
    for (const endpoint of record.endpoints) this.#tell('disconnect', endpoint);
  }

  async #publish(
    container: ContainerIdentity,
    ports: PublishedPorts,
    requests: readonly PortRequest[],
    endpoints: readonly EndpointRecord[],
  ): Promise<void> {
    if (requests.length === 0) return;
    const uplink = uplinkOf(endpoints, this.#isInternal);
    if (!uplink) {
      this.#options.logger.warn('ports are not published: the container is on internal networks only', {
        container: container.name,
      });
      return;
    }
    try {
      await ports.claim(requests, this.#network(uplink).options.hostIp);
    } catch (error) {
      if (error instanceof PortUnavailable) throw portInUse(container.name, uplink.id, error.message);
      throw error;
    }
  }

  /** An endpoint of a former run, if its cable still lies or can be laid anew. */
  async #takeUp(record: ContainerRecord, endpoint: EndpointRecord): Promise<readonly EndpointRecord[]> {
    const network = this.#network(endpoint);
    for (const address of addressesOf(endpoint)) {
      const parsed = parseAddress(address)!;
      const pool = network.pools.find(({ subnet }) => subnet.family === parsed.family);
      // The network has other addresses now.
      if (pool?.claim(parsed, record.id) !== 'ok') return [];
    }
    const { wiring, logger } = this.#options;
    const cable = cableOf(network, endpoint);
    try {
      await wiring.reattach(endpoint.hostDevice, cable);
      return [endpoint];
    } catch (lost) {
      try {
        const [hostDevice] = await wiring.plug(record.namespace, [cable], []);
        logger.warn('a cable of a container was lost, and is laid anew', { container: record.name, reason: lost });
        return [{ ...endpoint, hostDevice: hostDevice! }];
      } catch {
        for (const pool of network.pools) for (const address of addressesOf(endpoint)) pool.release(address);
        return [];
      }
    }
  }

  /** A container of a former run that goes on. */
  async #keep(record: ContainerRecord): Promise<readonly Element[]> {
    for (const endpoint of record.endpoints) this.#network(endpoint).place(endpoint);
    const ports = new PublishedPorts();
    await ports.reclaim(record.ports, record.requests, this.#options.logger);
    this.#ports.set(record.id, ports);
    this.#containers.set(record.id, record);
    return ports.lead(this.#uplinkOf(record.endpoints)).added;
  }

  /** Lays the cables of `added`; the routes are those that all endpoints together need. */
  async #plug(
    namespace: NetworkNamespace,
    added: readonly EndpointRecord[],
    all: readonly EndpointRecord[],
  ): Promise<readonly EndpointRecord[]> {
    await this.#ending.gone(added.flatMap(addressesOf));
    const cables = added.map((endpoint) => cableOf(this.#network(endpoint), endpoint));
    const ends = await this.#options.wiring
      .plug(namespace.path, cables, routesOf(all, this.#isInternal))
      .catch((error: { readonly code?: string }) => {
        throw error.code === 'EXFULL' ? networkFull(added.map(({ networkName }) => networkName)) : error;
      });
    // As in Docker, not for those on the default network alone: it costs them the kernel's tracking of connections.
    const named = (endpoint: EndpointRecord) => endpoint.networkName !== DEFAULT_NETWORK;
    if (added.some(named) && !all.some((endpoint) => named(endpoint) && !added.includes(endpoint))) {
      try {
        await this.#options.wiring.addResolver(namespace.path);
      } catch (error) {
        await this.#options.wiring.removeLinks(ends);
        throw error;
      }
    }
    await passing(
      added.map((endpoint, index) => ({ hostDevice: ends[index]!, bridge: this.#network(endpoint).record.bridge })),
    );
    return added.map((endpoint, index) => {
      const placed = { ...endpoint, hostDevice: ends[index]! };
      this.#network(placed).place(placed);
      return placed;
    });
  }

  /** Saves a container whose endpoints are others now, and has its ports lead where they should. */
  async #settle(record: ContainerRecord): Promise<void> {
    const { removed = [], added = [] } = this.#ports.get(record.id)?.lead(this.#uplinkOf(record.endpoints)) ?? {};
    await Promise.all([this.#options.firewall.update({ remove: removed, add: added }), this.#save(record)]);
    await this.#forgetFlows(removed, added);
  }

  /** Clients of published ports of UDP are to find where the port leads now. */
  async #forgetFlows(removed: readonly Element[], added: readonly Element[] = []): Promise<void> {
    const targets = (elements: readonly Element[]) =>
      new Set(elements.filter(({ key }) => key[0] === PROTOCOL_NUMBERS.udp).map(({ value }) => value![0]!));
    const stays = targets(added);
    const left = [...targets(removed)].filter((address) => !stays.has(address));
    if (left.length === 0) return;
    await this.#options.wiring.forgetFlows(left).catch((error: Error) => {
      // A kernel without that part: such a client finds the port once it has been silent for a while.
      this.#options.logger.warn('clients of a published UDP port may still be sent to an ended container', {
        reason: error.message,
      });
    });
  }

  #makeEndpoint(container: ContainerIdentity, spec: EndpointSpec, others: readonly EndpointRecord[]): EndpointRecord {
    const network = this.#options.networkOf(spec.network);
    let number = 0;
    while (others.some(({ device }) => device === `eth${number}`)) number++;
    return makeEndpoint(network, container, spec, `eth${number}`, this.#options.random.hex(64));
  }

  async #save(record: ContainerRecord): Promise<void> {
    this.#containers.delete(record.id);
    this.#containers.set(record.id, record);
    await this.#options.records.putContainer(record);
  }

  /** Keeps the addresses in mind for when the container starts again; those of the longest ended are forgotten. */
  async #remember(record: ContainerRecord): Promise<void> {
    await this.#save({ ...record, connected: false, ports: [], requests: [], released: Date.now() });
    const ended = [...this.#containers.values()].filter(({ connected }) => !connected);
    const forgotten = ended.slice(0, Math.max(0, ended.length - MOST_REMEMBERED));
    for (const { id, endpoints } of forgotten) await this.#forget(id, endpoints);
  }

  #rememberAddresses(endpoint: EndpointRecord): void {
    for (const address of addressesOf(endpoint)) {
      const { family } = parseAddress(address)!;
      const pool = this.#network(endpoint).pools.find(({ subnet }) => subnet.family === family);
      pool?.remember(address, endpoint.containerId);
    }
  }

  async #forget(containerId: string, endpoints: readonly EndpointRecord[]): Promise<void> {
    for (const { networkId } of endpoints) {
      for (const pool of this.#options.networkById(networkId)?.pools ?? []) pool.forget(containerId);
    }
    if (this.#containers.delete(containerId)) await this.#options.records.deleteContainer(containerId);
  }

  #network({ networkId }: { readonly networkId: string }): LiveNetwork {
    return this.#options.networkOf(networkId);
  }

  /** What ports lead to. */
  #uplinkOf(endpoints: readonly EndpointRecord[]): EndpointRecord | undefined {
    return uplinkOf(endpoints, this.#isInternal);
  }

  readonly #isInternal = (networkId: string): boolean => this.#options.networkOf(networkId).record.internal;

  #tell(action: 'connect' | 'disconnect', { networkId, networkName, containerId }: Endpoint): void {
    this.#options.emit({
      action,
      id: networkId,
      attributes: { name: networkName, type: 'bridge', container: containerId },
    });
  }

  async #inTurn<T>(containerId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(containerId);
    const turn = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#turns.set(containerId, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(containerId) === turn) this.#turns.delete(containerId);
    }
  }
}
