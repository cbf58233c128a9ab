import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { GATEWAY_ADDRESS } from '../addresses.ts';
import { overlap, parseSubnet, type Subnet } from '../cidr.ts';
import type {
  Connected,
  ContainerIdentity,
  ContainerNetworks,
  DeviceTraffic,
  Endpoint,
  EndpointSpec,
  Network,
  NetworkEvent,
  NetworkNamespace,
  NetworkSpec,
  PortRequest,
} from '../container-networks.ts';
import type { DnsServerOptions } from '../dns-server.ts';
import { openKernel } from '../kernel.ts';
import { answerOwn, CLOUD_NAMES } from '../names.ts';
import { Connections } from './connections.ts';
import { readCounters } from './device-counters.ts';
import { Firewall } from './firewall.ts';
import { hostRoutes } from './host-routes.ts';
import { forwardPackets } from './host-settings.ts';
import { LiveNetwork, type OpenGateway } from './live-network.ts';
import { NetlinkWiring } from './netlink-wiring.ts';
import {
  ambiguousNetwork,
  invalidNetwork,
  networkInUse,
  networkNameInUse,
  networkNotFound,
  networksUnavailable,
  predefined,
  subnetOverlap,
} from './network-errors.ts';
import { checkSpec, PREDEFINED, withGateway } from './network-spec.ts';
import { type NetworkRecord, NetworkRecords } from './records.ts';
import { chooseSubnet, chooseSubnetV6, withSubnetLock } from './subnet-choice.ts';
import type { Wiring } from './wiring.ts';

export interface ContainerNetworksOptions {
  readonly store: Store;
  readonly random: Random;
  readonly logger: Logger;
  /** Short hex: the same in every run with the same data directory. */
  readonly instance: string;
  /** Further names (and all below them) that are the gateway. */
  readonly names: readonly string[];
  readonly openGateway: OpenGateway;
  /** The DNS servers for all other names; the host's unless told. */
  readonly nameServers?: () => Promise<readonly string[]>;
}

export class BridgeNetworks implements ContainerNetworks {
  readonly #options: ContainerNetworksOptions;
  readonly #records: NetworkRecords;
  readonly #networks = new Map<string, LiveNetwork>();
  readonly #listeners = new Set<(event: NetworkEvent) => void>();
  readonly #wiring: Wiring;
  readonly #firewall: Firewall;
  readonly #connections: Connections;
  readonly #directory: string;
  /** Networks are made and removed one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ContainerNetworksOptions) {
    const kernel = openKernel();
    if (!kernel) throw networksUnavailable('node:ffi');
    this.#options = options;
    this.#directory = join('/run/kobune/networks', options.instance);
    this.#records = new NetworkRecords(options.store);
    this.#wiring = new NetlinkWiring({ kernel, cableName: () => this.#deviceName('v') });
    this.#firewall = new Firewall({ table: `kobune-${options.instance}`, kernel });
    this.#connections = new Connections({
      wiring: this.#wiring,
      records: this.#records,
      random: options.random,
      logger: options.logger,
      networkOf: (nameOrId) => this.#live(nameOrId),
      emit: (event) => this.#emit(event),
    });
  }

  async start(): Promise<void> {
    await mkdir(join(this.#directory, 'ns'), { recursive: true, mode: 0o700 });
    await forwardPackets(4);
    await this.#firewall.load([]);
    await this.#make({ name: 'bridge' }, []);
  }

  async create(spec: NetworkSpec): Promise<{ readonly network: Network; readonly warning?: string }> {
    checkSpec(spec);
    return this.#inTurn(async () => {
      if (this.#byName(spec.name)) throw networkNameInUse(spec.name);
      const ranges = (spec.ranges ?? []).map(withGateway);
      const live = await this.#make(spec, ranges);
      this.#emit({ action: 'create', id: live.record.id, attributes: { name: spec.name, type: 'bridge' } });
      return { network: live.toNetwork() };
    });
  }

  async #make(spec: NetworkSpec, given: NetworkRecord['ranges']): Promise<LiveNetwork> {
    return withSubnetLock(async () => {
      const ranges = await this.#completeRanges(given, spec.ipv6 ?? false);
      const record: NetworkRecord = {
        id: this.#options.random.hex(64),
        name: spec.name,
        ranges,
        chosen: given.length === 0,
        internal: spec.internal ?? false,
        ipv6: spec.ipv6 ?? false,
        attachable: spec.attachable ?? false,
        labels: { ...spec.labels },
        options: { ...spec.options },
        bridge: spec.options?.['com.docker.network.bridge.name'] ?? this.#deviceName('b'),
        created: Date.now(),
      };
      const live = new LiveNetwork(record);
      await this.#raise(live, false);
      await this.#records.putNetwork(record);
      this.#networks.set(record.id, live);
      return live;
    });
  }

  async #raise(live: LiveNetwork, standing: boolean): Promise<void> {
    await live.raise({
      wiring: this.#wiring,
      openGateway: this.#options.openGateway,
      dns: this.#dnsOf(live),
      alias: `kobune-${this.#options.instance} ${live.record.name}`,
      standing,
    });
    await this.#firewall.add(live.elements());
  }

  #dnsOf(_live: LiveNetwork): Pick<DnsServerOptions, 'answer' | 'servers'> {
    const names = [...CLOUD_NAMES, ...this.#options.names];
    return { answer: (query) => answerOwn(query, names), servers: this.#options.nameServers };
  }

  /** Checks subnets against what is there, and chooses those that nobody asked for. */
  async #completeRanges(given: NetworkRecord['ranges'], ipv6: boolean): Promise<NetworkRecord['ranges']> {
    const own = [...this.#networks.values()].flatMap(({ pools }) => pools.map(({ subnet }) => subnet));
    const routes = await hostRoutes();
    const wanted = given.map(({ subnet }) => parseSubnet(subnet)!);
    const atInterfaces = routes.filter(({ connected }) => connected).map(({ subnet }) => subnet);
    if (wanted.some((subnet) => [...own, ...atInterfaces].some((other) => overlap(subnet, other))))
      throw subnetOverlap();
    const taken: Subnet[] = [...own, ...wanted, ...routes.map(({ subnet }) => subnet)];
    const v4 = given.find(({ subnet }) => parseSubnet(subnet)!.family === 4);
    const v6 = given.find(({ subnet }) => parseSubnet(subnet)!.family === 6);
    return [
      v4 ?? withGateway({ subnet: chooseSubnet(taken) }),
      ...(ipv6 ? [v6 ?? withGateway({ subnet: chooseSubnetV6(this.#options.random, taken) })] : []),
    ];
  }

  async find(nameOrId: string): Promise<Network | undefined> {
    const predefinedOne = PREDEFINED_NETWORKS.find(({ name, id }) => nameOrId === name || nameOrId === id);
    if (predefinedOne) return predefinedOne;
    try {
      return this.#live(nameOrId).toNetwork();
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'NetworkNotFound') return undefined;
      throw error;
    }
  }

  async list(): Promise<readonly Network[]> {
    return [...[...this.#networks.values()].map((live) => live.toNetwork()), ...PREDEFINED_NETWORKS];
  }

  remove(nameOrId: string): Promise<void> {
    return this.#inTurn(async () => {
      const network = await this.find(nameOrId);
      if (!network) throw networkNotFound(nameOrId);
      if ((PREDEFINED as readonly string[]).includes(network.name)) throw predefined(network.name, 'removed');
      const live = this.#live(network.id);
      if (live.endpoints.size > 0) {
        throw networkInUse(
          network.name,
          [...live.endpoints.values()].map(({ containerId: id, containerName: name }) => ({ id, name })),
        );
      }
      await this.#remove(live);
      this.#emit({ action: 'destroy', id: network.id, attributes: { name: network.name, type: 'bridge' } });
    });
  }

  prune(matches: (network: Network) => boolean = () => true): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const names: string[] = [];
      for (const live of [...this.#networks.values()]) {
        const { name } = live.record;
        if ((PREDEFINED as readonly string[]).includes(name) || live.endpoints.size > 0) continue;
        if (!matches(live.toNetwork())) continue;
        await this.#remove(live);
        names.push(name);
      }
      return names;
    });
  }

  async #remove(live: LiveNetwork): Promise<void> {
    this.#networks.delete(live.record.id);
    await this.#records.deleteNetwork(live.record.id);
    await this.#firewall.remove(live.elements());
    await live.lower();
    await this.#wiring.removeLinks([live.record.bridge]);
  }

  async createNamespace(id: string): Promise<NetworkNamespace> {
    const path = this.#namespacePath(id);
    await this.#wiring.createNamespace(path);
    return { path };
  }

  connect(
    container: ContainerIdentity,
    namespace: NetworkNamespace,
    endpoints: readonly EndpointSpec[],
    ports: readonly PortRequest[],
  ): Promise<Connected> {
    return this.#connections.connect(container, namespace, endpoints, ports);
  }

  attach(container: ContainerIdentity, namespace: NetworkNamespace, endpoint: EndpointSpec): Promise<Endpoint> {
    return this.#connections.attach(container, namespace, endpoint);
  }

  detach(containerId: string, network: string, namespace: NetworkNamespace | undefined): Promise<void> {
    return this.#connections.detach(containerId, network, namespace);
  }

  rename(containerId: string, name: string): Promise<void> {
    return this.#connections.rename(containerId, name);
  }

  async adopt(container: ContainerIdentity): Promise<Connected | undefined> {
    return this.#connections.adopt(container.id);
  }

  async release(containerId: string): Promise<void> {
    await this.#connections.release(containerId);
    await this.#wiring.removeNamespace(this.#namespacePath(containerId));
  }

  async traffic({ path }: NetworkNamespace): Promise<Readonly<Record<string, DeviceTraffic>>> {
    return readCounters(await this.#wiring.counters(path));
  }

  nameServer(_endpoints: readonly Endpoint[]): string {
    return GATEWAY_ADDRESS;
  }

  onEvent(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => {});
    for (const live of this.#networks.values()) await live.lower();
    await this.#wiring.removeLinks([...this.#networks.values()].map(({ record }) => record.bridge));
    this.#wiring.close();
    await this.#firewall.close();
  }

  #namespacePath(id: string): string {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(id)) throw invalidNetwork(`invalid container ID ${JSON.stringify(id)}`);
    return join(this.#directory, 'ns', id);
  }

  #byName(name: string): LiveNetwork | undefined {
    return [...this.#networks.values()].find(({ record }) => record.name === name);
  }

  #live(nameOrId: string): LiveNetwork {
    const exact = this.#networks.get(nameOrId) ?? this.#byName(nameOrId);
    if (exact) return exact;
    const matching = /^[0-9a-f]+$/.test(nameOrId)
      ? [...this.#networks.values()].filter(({ record }) => record.id.startsWith(nameOrId))
      : [];
    if (matching.length > 1) throw ambiguousNetwork(nameOrId);
    if (matching[0]) return matching[0];
    throw networkNotFound(nameOrId);
  }

  #deviceName(kind: 'b' | 'v'): string {
    return `k${kind}${this.#options.instance.slice(0, 6)}${this.#options.random.hex(6)}`;
  }

  #emit(event: NetworkEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = (async () => {
      await before.catch(() => {});
      return work();
    })();
    this.#turn = turn;
    return turn;
  }
}

/** `host` and `none` are always there. Their IDs are told apart from others by having no randomness in them. */
const PREDEFINED_NETWORKS: readonly Network[] = (['host', 'none'] as const).map((name, index) => ({
  id: String(index + 1).repeat(64),
  name,
  driver: name === 'host' ? 'host' : 'null',
  ranges: [],
  internal: false,
  ipv6: false,
  attachable: false,
  labels: {},
  options: {},
  bridge: undefined,
  created: 0,
  endpoints: new Map(),
}));

/** Makes them; throws `NetworksUnavailable` where this machine cannot have any. `start` before anything else. */
export function createContainerNetworks(options: ContainerNetworksOptions): ContainerNetworks {
  return new BridgeNetworks(options);
}
