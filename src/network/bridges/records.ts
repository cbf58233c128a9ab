import type { Store } from '../../store/index.ts';
import type { AddressRange, Endpoint, PortRequest, PublishedPort } from '../container-networks.ts';

/** A network as it is kept. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly ranges: readonly (AddressRange & { readonly gateway: string })[];
  /** Nobody asked for these very subnets. */
  readonly chosen: boolean;
  readonly internal: boolean;
  readonly ipv6: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly bridge: string;
  readonly created: number;
}

export interface EndpointRecord extends Endpoint {
  /** The cable's end on this side. */
  readonly hostDevice: string;
  /** Names by which this container alone finds others. */
  readonly links: readonly string[];
}

/** A container's connections as they are kept, or were when it ended. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  /** Name servers of its own for names that are not containers'. */
  readonly nameServers: readonly string[];
  /** False after it ended: only its addresses are kept in mind. */
  readonly connected: boolean;
  readonly namespace: string;
  readonly endpoints: readonly EndpointRecord[];
  readonly requests: readonly PortRequest[];
  readonly ports: readonly PublishedPort[];
  /** When it ended; the oldest are forgotten first. */
  readonly released: number;
}

const ROOT = 'networks';

/** What is in the store about networks, under the first key part `networks`. */
export class NetworkRecords {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async all(): Promise<{
    readonly networks: readonly NetworkRecord[];
    readonly containers: readonly ContainerRecord[];
  }> {
    const [networks, containers] = await Promise.all([
      this.#store.range<NetworkRecord>({ prefix: [ROOT, 'network'] }),
      this.#store.range<ContainerRecord>({ prefix: [ROOT, 'container'] }),
    ]);
    return { networks: networks.map(({ value }) => value), containers: containers.map(({ value }) => value) };
  }

  async putNetwork(network: NetworkRecord): Promise<void> {
    await this.#store.put([ROOT, 'network', network.id], network);
  }

  async deleteNetwork(id: string): Promise<void> {
    await this.#store.delete([ROOT, 'network', id]);
  }

  async putContainer(container: ContainerRecord): Promise<void> {
    await this.#store.put([ROOT, 'container', container.id], container);
  }

  async deleteContainer(id: string): Promise<void> {
    await this.#store.delete([ROOT, 'container', id]);
  }
}
