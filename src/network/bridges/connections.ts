import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type {
  Connected,
  ContainerIdentity,
  Endpoint,
  EndpointSpec,
  NetworkEvent,
  NetworkNamespace,
  PortRequest,
} from '../container-networks.ts';
import { cableOf, dnsNames, dropEndpoint, makeEndpoint, routesOf } from './endpoints.ts';
import type { LiveNetwork } from './live-network.ts';
import { notConnected } from './network-errors.ts';
import type { ContainerRecord, EndpointRecord, NetworkRecords } from './records.ts';
import type { Wiring } from './wiring.ts';

export interface ConnectionsOptions {
  readonly wiring: Wiring;
  readonly records: NetworkRecords;
  readonly random: Random;
  readonly logger: Logger;
  /** By name or ID; throws `NetworkNotFound`. */
  readonly networkOf: (nameOrId: string) => LiveNetwork;
  readonly emit: (event: NetworkEvent) => void;
}

/** Which containers are on which networks. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #containers = new Map<string, ContainerRecord>();
  /** What is asked about one container happens one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  connect(
    container: ContainerIdentity,
    namespace: NetworkNamespace,
    specs: readonly EndpointSpec[],
    requests: readonly PortRequest[],
  ): Promise<Connected> {
    return this.#inTurn(container.id, async () => {
      const { wiring } = this.#options;
      await this.#release(container.id);
      const endpoints: EndpointRecord[] = [];
      try {
        for (const spec of specs) endpoints.push(this.#makeEndpoint(container, spec, endpoints));
        const ends = await wiring.plug(
          namespace.path,
          endpoints.map((endpoint) => cableOf(this.#network(endpoint), endpoint)),
          routesOf(endpoints, this.#isInternal),
        );
        const placed = endpoints.map((endpoint, index) => this.#place({ ...endpoint, hostDevice: ends[index]! }));
        const record: ContainerRecord = {
          ...container,
          nameServers: [],
          connected: true,
          namespace: namespace.path,
          endpoints: placed,
          requests,
          ports: [],
          released: 0,
        };
        await this.#save(record);
      } catch (error) {
        for (const endpoint of endpoints) dropEndpoint(this.#network(endpoint), endpoint);
        throw error;
      }
      for (const endpoint of endpoints) this.#tell('connect', endpoint);
      return connectedOf(this.#containers.get(container.id)!);
    });
  }

  attach(container: ContainerIdentity, namespace: NetworkNamespace, spec: EndpointSpec): Promise<Endpoint> {
    return this.#inTurn(container.id, async () => {
      const record = this.#containers.get(container.id);
      if (!record?.connected) throw notConnected(container.name, spec.network);
      const endpoint = this.#makeEndpoint(container, spec, record.endpoints);
      try {
        const cable = cableOf(this.#network(endpoint), endpoint);
        const routes = routesOf([...record.endpoints, endpoint], this.#isInternal);
        const [hostDevice] = await this.#options.wiring.plug(namespace.path, [cable], routes);
        const placed = this.#place({ ...endpoint, hostDevice: hostDevice! });
        await this.#save({ ...record, endpoints: [...record.endpoints, placed] });
        this.#tell('connect', placed);
        return placed;
      } catch (error) {
        dropEndpoint(this.#network(endpoint), endpoint);
        throw error;
      }
    });
  }

  detach(containerId: string, network: string, namespace: NetworkNamespace | undefined): Promise<void> {
    return this.#inTurn(containerId, async () => {
      const live = this.#options.networkOf(network);
      const record = this.#containers.get(containerId);
      const endpoint = record?.endpoints.find(({ networkId }) => networkId === live.record.id);
      if (!record?.connected || !endpoint) {
        if (namespace === undefined) return;
        throw notConnected(record?.name ?? containerId, live.record.name);
      }
      const endpoints = record.endpoints.filter((other) => other !== endpoint);
      await this.#options.wiring.removeLinks([endpoint.hostDevice]);
      await this.#options.wiring.setRoutes(record.namespace, routesOf(endpoints, this.#isInternal));
      await this.#save({ ...record, endpoints });
      dropEndpoint(live, endpoint);
      this.#tell('disconnect', endpoint);
    });
  }

  rename(containerId: string, name: string): Promise<void> {
    return this.#inTurn(containerId, async () => {
      const record = this.#containers.get(containerId);
      if (!record) return;
      const endpoints = record.endpoints.map((endpoint) => ({
        ...endpoint,
        containerName: name,
        dnsNames: dnsNames({ ...record, name }, endpoint.aliases),
      }));
      if (record.connected) for (const endpoint of endpoints) this.#place(endpoint);
      await this.#save({ ...record, name, endpoints });
    });
  }

  adopt(containerId: string): Connected | undefined {
    const record = this.#containers.get(containerId);
    return record?.connected ? connectedOf(record) : undefined;
  }

  release(containerId: string): Promise<void> {
    return this.#inTurn(containerId, () => this.#release(containerId));
  }

  async #release(containerId: string): Promise<void> {
    const record = this.#containers.get(containerId);
    if (!record?.connected) return;
    const { wiring, records } = this.#options;
    await wiring.removeNamespace(record.namespace);
    for (const endpoint of record.endpoints) {
      dropEndpoint(this.#network(endpoint), endpoint);
      this.#tell('disconnect', endpoint);
    }
    this.#containers.delete(containerId);
    await records.deleteContainer(containerId);
  }

  async #save(record: ContainerRecord): Promise<void> {
    await this.#options.records.putContainer(record);
    this.#containers.set(record.id, record);
  }

  #makeEndpoint(container: ContainerIdentity, spec: EndpointSpec, others: readonly EndpointRecord[]): EndpointRecord {
    const network = this.#options.networkOf(spec.network);
    let number = 0;
    while (others.some(({ device }) => device === `eth${number}`)) number++;
    return makeEndpoint(network, container, spec, `eth${number}`, this.#options.random.hex(64));
  }

  #place(endpoint: EndpointRecord): EndpointRecord {
    this.#network(endpoint).endpoints.set(endpoint.containerId, endpoint);
    return endpoint;
  }

  #network({ networkId }: { readonly networkId: string }): LiveNetwork {
    return this.#options.networkOf(networkId);
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

function connectedOf({ endpoints, ports }: ContainerRecord): Connected {
  return { endpoints, ports };
}
