import { existsSync } from 'node:fs';
import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { overlap, parseSubnet, type Subnet } from '../cidr.ts';
import type { Network, NetworkEvent, NetworkSpec } from '../container-networks.ts';
import type { DnsServerOptions } from '../dns-server.ts';
import type { Firewall } from './firewall.ts';
import { hostRoutes } from './host-routes.ts';
import { forwardPackets } from './host-settings.ts';
import { LiveNetwork, type OpenGateway } from './live-network.ts';
import {
  ambiguousNetwork,
  networkInUse,
  networkNameInUse,
  networkNotFound,
  predefined,
  subnetOverlap,
} from './network-errors.ts';
import { checkSpec, DEFAULT_NETWORK, PREDEFINED, withGateway } from './network-spec.ts';
import type { NetworkRecord, NetworkRecords } from './records.ts';
import { chooseSubnet, chooseSubnetV6, withSubnetLock } from './subnet-choice.ts';
import type { Wiring } from './wiring.ts';

export interface NetworkRegistryOptions {
  readonly wiring: Wiring;
  readonly firewall: Firewall;
  readonly records: NetworkRecords;
  readonly random: Random;
  readonly logger: Logger;
  readonly openGateway: OpenGateway;
  /** What names mean on a network. */
  readonly dnsOf: (network: LiveNetwork) => Pick<DnsServerOptions, 'answer' | 'servers'>;
  /** What `ip link` shows beside our bridges. */
  readonly alias: string;
  readonly bridgeName: () => string;
  readonly emit: (event: NetworkEvent) => void;
}

const MOST_ATTEMPTS = 5;

/** The bridge networks there are. */
export class NetworkRegistry {
  readonly #options: NetworkRegistryOptions;
  /** By ID. */
  readonly #networks = new Map<string, LiveNetwork>();
  /** Networks are made and removed one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: NetworkRegistryOptions) {
    this.#options = options;
  }

  get live(): readonly LiveNetwork[] {
    return [...this.#networks.values()];
  }

  byId(id: string): LiveNetwork | undefined {
    return this.#networks.get(id);
  }

  /** By name, ID, or the beginning of an ID. Throws `NetworkNotFound`. */
  get(nameOrId: string): LiveNetwork {
    const exact = this.#networks.get(nameOrId) ?? this.live.find(({ record }) => record.name === nameOrId);
    if (exact) return exact;
    const matching = /^[0-9a-f]+$/.test(nameOrId)
      ? this.live.filter(({ record }) => record.id.startsWith(nameOrId))
      : [];
    if (matching.length > 1) throw ambiguousNetwork(nameOrId);
    if (matching.length === 0) throw networkNotFound(nameOrId);
    return matching[0]!;
  }

  find(nameOrId: string): Network | undefined {
    const predefinedOne = PREDEFINED_NETWORKS.find(({ name, id }) => nameOrId === name || nameOrId === id);
    if (predefinedOne) return predefinedOne;
    try {
      return this.get(nameOrId).toNetwork();
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'NetworkNotFound') throw error;
      return PREDEFINED_NETWORKS.find(({ id }) => nameOrId !== '' && id.startsWith(nameOrId));
    }
  }

  list(): readonly Network[] {
    return [...this.live.map((live) => live.toNetwork()), ...PREDEFINED_NETWORKS];
  }

  /** Throws `InvalidNetwork`, `NameInUse`, `SubnetOverlap`. */
  async create(spec: NetworkSpec): Promise<Network> {
    checkSpec(spec);
    return this.#inTurn(async () => {
      if (this.live.some(({ record }) => record.name === spec.name)) throw networkNameInUse(spec.name);
      const live = await this.#make(spec);
      this.#tell('create', live.record);
      return live.toNetwork();
    });
  }

  /** Throws `NetworkNotFound`, `NetworkInUse`. */
  remove(nameOrId: string): Promise<void> {
    return this.#inTurn(async () => {
      const network = this.find(nameOrId);
      if (!network) throw networkNotFound(nameOrId);
      if (isPredefined(network.name)) throw predefined(network.name, 'removed');
      const live = this.#networks.get(network.id)!;
      if (live.endpoints.size > 0) {
        const by = [...live.endpoints.values()].map((endpoint) => ({
          id: endpoint.containerId,
          name: endpoint.containerName,
        }));
        throw networkInUse(network.name, by);
      }
      await this.#remove(live);
    });
  }

  prune(matches: (network: Network) => boolean): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const unused = this.live.filter(
        (live) => !isPredefined(live.record.name) && live.endpoints.size === 0 && matches(live.toNetwork()),
      );
      const names: string[] = [];
      for (const live of unused) {
        // Somebody may have come while another one was removed.
        if (live.endpoints.size > 0) continue;
        await this.#remove(live);
        names.push(live.record.name);
      }
      return names;
    });
  }

  /** Brings up what the store knows, and the network `bridge`. Rules are not told yet: see {@link elements}. */
  async restore(records: readonly NetworkRecord[], used: ReadonlySet<string>): Promise<void> {
    // The longest-lived first: when two cannot be had, the newer one is missing.
    for (const record of [...records].sort((one, other) => one.created - other.created)) {
      const live = await withSubnetLock(() => this.#bringBack(record, used.has(record.id)));
      this.#networks.set(live.record.id, live);
    }
    if (!this.live.some(({ record }) => record.name === DEFAULT_NETWORK)) await this.#make({ name: DEFAULT_NETWORK });
  }

  elements() {
    return this.live.flatMap((live) => live.elements());
  }

  /** Ends what this process does for networks; their bridges stay. */
  async close(): Promise<void> {
    await this.#turn.catch(() => {});
    await Promise.all(this.live.map((live) => live.lower()));
  }

  async #make(spec: NetworkSpec): Promise<LiveNetwork> {
    const { random, records, firewall } = this.#options;
    const given = (spec.ranges ?? []).map(withGateway);
    const options = { ...spec.options };
    return withSubnetLock(async () => {
      for (let attempt = 1; ; attempt++) {
        const record: NetworkRecord = {
          id: random.hex(64),
          name: spec.name,
          ranges: await this.#completeRanges(given, spec.ipv6 ?? false),
          chosen: given.length === 0,
          internal: spec.internal ?? false,
          ipv6: spec.ipv6 ?? false,
          attachable: spec.attachable ?? false,
          labels: { ...spec.labels },
          options,
          bridge: options['com.docker.network.bridge.name'] || this.#options.bridgeName(),
          created: Date.now(),
        };
        const live = new LiveNetwork(record);
        if (record.ipv6) await forwardPackets(6);
        await this.#raise(live);
        try {
          // Others than Kobune choose subnets too, and know nothing of our lock.
          if (await this.#isAlone(live)) {
            await firewall.update({ add: live.elements() });
            await records.putNetwork(record);
            this.#networks.set(record.id, live);
            return live;
          }
          if (attempt === MOST_ATTEMPTS || given.length > 0) throw subnetOverlap();
          await this.#takeDown(live);
        } catch (error) {
          await this.#takeDown(live);
          throw error;
        }
      }
    });
  }

  /** A network of a former run: on its bridge, which may still stand, or on a new one. */
  async #bringBack(record: NetworkRecord, used: boolean): Promise<LiveNetwork> {
    const standing = existsSync(`/sys/class/net/${record.bridge}/bridge`);
    let live = new LiveNetwork(record);
    try {
      if (record.ipv6) await forwardPackets(6);
      if (!standing && !(await this.#isAlone(live))) {
        if (!record.chosen || used) throw subnetOverlap();
        const renumbered = { ...record, ranges: await this.#completeRanges([], record.ipv6) };
        await this.#options.records.putNetwork(renumbered);
        live = new LiveNetwork(renumbered);
      }
      await this.#raise(live);
    } catch (error) {
      live.down = (error as Error).message;
      this.#options.logger.error('a container network cannot be had', { network: record.name, reason: live.down });
    }
    return live;
  }

  async #raise(live: LiveNetwork): Promise<void> {
    const { wiring, openGateway, dnsOf, alias } = this.#options;
    await live.raise({ wiring, openGateway, dns: dnsOf(live), alias });
  }

  async #takeDown(live: LiveNetwork): Promise<void> {
    await this.#options.firewall.update({ remove: live.elements() });
    await live.lower();
    await this.#options.wiring.removeLinks([live.record.bridge]);
  }

  async #remove(live: LiveNetwork): Promise<void> {
    this.#networks.delete(live.record.id);
    await this.#options.records.deleteNetwork(live.record.id);
    await this.#takeDown(live);
    this.#tell('destroy', live.record);
  }

  /** Whether no interface but its own bridge has a part of a network's subnets. */
  async #isAlone({ record, pools }: LiveNetwork): Promise<boolean> {
    const others = (await hostRoutes()).filter(({ connected, device }) => connected && device !== record.bridge);
    return !pools.some((pool) => others.some(({ subnet }) => overlap(pool.subnet, subnet)));
  }

  /** Checks subnets against what is there, and chooses those that nobody asked for. */
  async #completeRanges(given: NetworkRecord['ranges'], ipv6: boolean): Promise<NetworkRecord['ranges']> {
    const own = this.live.flatMap(({ pools }) => pools.map(({ subnet }) => subnet));
    const routes = await hostRoutes();
    const wanted = given.map(({ subnet }) => parseSubnet(subnet)!);
    const atInterfaces = routes.filter(({ connected }) => connected).map(({ subnet }) => subnet);
    if (wanted.some((subnet) => [...own, ...atInterfaces].some((other) => overlap(subnet, other)))) {
      throw subnetOverlap();
    }
    const taken: Subnet[] = [...own, ...wanted, ...routes.map(({ subnet }) => subnet)];
    const [v4, v6] = [4, 6].map((family) => given.find(({ subnet }) => parseSubnet(subnet)!.family === family));
    return [
      v4 ?? withGateway({ subnet: chooseSubnet(taken) }),
      ...(ipv6 ? [v6 ?? withGateway({ subnet: chooseSubnetV6(this.#options.random, taken) })] : []),
    ];
  }

  #tell(action: 'create' | 'destroy', { id, name }: NetworkRecord): void {
    this.#options.emit({ action, id, attributes: { name, type: 'bridge' } });
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

const isPredefined = (name: string) => (PREDEFINED as readonly string[]).includes(name);

/** `host` and `none` are always there, the same everywhere. */
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
