import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { noteStorePlace, type Store } from '../../store/index.ts';
import { GATEWAY_ADDRESS } from '../addresses.ts';
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
import { hostServers } from '../dns-server.ts';
import { KernelError, openKernel } from '../kernel.ts';
import { CLOUD_NAMES } from '../names.ts';
import { Connections } from './connections.ts';
import { ContainerNames } from './container-names.ts';
import { readCounters } from './device-counters.ts';
import { Firewall } from './firewall.ts';
import { forwardPackets } from './host-settings.ts';
import { claimInstanceDirectory, namespaceFile, RUN_DIRECTORY, removeInstanceDirectory } from './instance-directory.ts';
import { IpWiring } from './ip-wiring.ts';
import { aliasOf, devicePrefix, findLeftovers, removeDeadInstances, removeLeftovers, tableOf } from './leftovers.ts';
import type { OpenGateway } from './live-network.ts';
import { NetlinkWiring } from './netlink-wiring.ts';
import { invalidNetwork, networksUnavailable } from './network-errors.ts';
import { NetworkRegistry } from './network-registry.ts';
import { otherFirewalls } from './other-firewalls.ts';
import { ProgramError } from './program.ts';
import { NetworkRecords } from './records.ts';
import type { Wiring } from './wiring.ts';

export interface ContainerNetworksOptions {
  readonly store: Store;
  readonly random: Random;
  readonly logger: Logger;
  /** Short hex: the same in every run with the same data directory. */
  readonly instance: string;
  /** Nothing is to be left of it when its process ends, however that ends. */
  readonly ephemeral?: boolean;
  /** Further names (and all below them) that are the gateway. */
  readonly names: readonly string[];
  readonly openGateway: OpenGateway;
  /** The DNS servers for all other names; the host's unless told. */
  readonly nameServers?: () => Promise<readonly string[]>;
  /** Where namespaces are kept, each instance in a directory of its own. */
  readonly runDirectory?: string;
  /** `none`: as on a Node without `node:ffi`. */
  readonly kernel?: 'none';
}

/** Of settings and files, for a root without all of its rights. */
const REFUSALS: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EROFS']);

/** Makes them; `start` before anything else, which throws `NetworksUnavailable` where this machine cannot have any. */
export function createContainerNetworks(options: ContainerNetworksOptions): ContainerNetworks {
  return new BridgeNetworks(options);
}

class BridgeNetworks implements ContainerNetworks {
  readonly #options: ContainerNetworksOptions;
  readonly #runDirectory: string;
  readonly #directory: string;
  readonly #records: NetworkRecords;
  readonly #listeners = new Set<(event: NetworkEvent) => void>();
  readonly #wiring: Wiring;
  readonly #firewall: Firewall;
  readonly #registry: NetworkRegistry;
  readonly #connections: Connections;
  #missing: Promise<readonly string[]> = Promise.resolve([]);
  #closing: Promise<void> | undefined;
  #cleaning: Promise<void> = Promise.resolve();

  constructor(options: ContainerNetworksOptions) {
    const { instance, random, logger } = options;
    this.#options = options;
    this.#runDirectory = options.runDirectory ?? RUN_DIRECTORY;
    this.#directory = join(this.#runDirectory, instance);
    this.#records = new NetworkRecords(options.store);
    const kernel = options.kernel === 'none' ? undefined : openKernel();
    const deviceName = (kind: 'bridge' | 'cable') => {
      for (;;) {
        const name = `${devicePrefix(kind, instance)}${random.hex(6)}`;
        if (!existsSync(`/sys/class/net/${name}`)) return name;
      }
    };
    const cableName = () => deviceName('cable');
    const wiring = kernel ? new NetlinkWiring({ kernel, cableName }) : new IpWiring({ cableName });
    const firewall = new Firewall({ table: tableOf(instance), kernel, logger });
    const common = { wiring, firewall, records: this.#records, random, logger };
    const emit = (event: NetworkEvent) => this.#emit(event);
    const registry = new NetworkRegistry({
      ...common,
      openGateway: options.openGateway,
      dnsOf: (network) => ({
        answer: (query, from, overTcp) => names.answer(network, query, from, overTcp),
        servers: async (from) => {
          const own = names.serversOf(network, from);
          return own.length > 0 ? own : (options.nameServers ?? hostServers)();
        },
      }),
      alias: aliasOf(instance),
      bridgeName: () => deviceName('bridge'),
      emit,
    });
    const connections = new Connections({
      ...common,
      networkOf: (nameOrId) => registry.get(nameOrId),
      networkById: (id) => registry.byId(id),
      emit,
    });
    const names = new ContainerNames({
      cloudNames: [...CLOUD_NAMES, ...options.names],
      networkOf: (id) => registry.byId(id),
      containerOf: (id) => connections.get(id),
    });
    this.#wiring = wiring;
    this.#firewall = firewall;
    this.#registry = registry;
    this.#connections = connections;
  }

  async start(): Promise<void> {
    if (process.getuid?.() !== 0) throw networksUnavailable('they need root');
    try {
      await this.#start();
    } catch (error) {
      await this.close().catch(() => {});
      // The kernel or a program said no: not root's rights, nothing installed, a kernel without the parts.
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (error instanceof KernelError || error instanceof ProgramError || REFUSALS.has(code)) {
        throw networksUnavailable(message);
      }
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { instance, ephemeral = false, logger, store } = this.#options;
    const swept = await removeDeadInstances(this.#wiring, this.#runDirectory);
    for (const dead of swept) logger.info('removed the networks of a Kobune that is gone', { instance: dead });
    await claimInstanceDirectory(this.#directory, { ephemeral, store: noteStorePlace(store) });
    await forwardPackets(4);
    const { networks, containers } = await this.#records.all();
    const used = containers.filter(({ connected }) => connected).flatMap(({ endpoints }) => endpoints);
    await this.#registry.restore(networks, new Set(used.map(({ networkId }) => networkId)));
    const elements = await this.#connections.restore(containers);
    await this.#firewall.load([...this.#registry.elements(), ...elements]);
    const { connected } = this.#connections;
    // What is left over is listed before anything new can be made, and removed while we go on.
    const leftovers = await findLeftovers(instance, this.#directory, {
      devices: new Set([
        ...this.#registry.live.map(({ record }) => record.bridge),
        ...connected.flatMap(({ endpoints }) => endpoints.map(({ hostDevice }) => hostDevice)),
      ]),
      namespaces: new Set(connected.map(({ namespace }) => namespace)),
    });
    this.#missing = otherFirewalls(tableOf(instance)).catch(() => []);
    this.#cleaning = removeLeftovers(this.#wiring, leftovers).catch((error) =>
      logger.warn('leftovers of container networks are still there', { reason: String(error) }),
    );
  }

  missing(): Promise<readonly string[]> {
    return this.#missing;
  }

  async create(spec: NetworkSpec): Promise<{ readonly network: Network; readonly warning?: string }> {
    return { network: await this.#registry.create(spec) };
  }

  async find(nameOrId: string): Promise<Network | undefined> {
    return this.#registry.find(nameOrId);
  }

  async list(): Promise<readonly Network[]> {
    return this.#registry.list();
  }

  remove(nameOrId: string): Promise<void> {
    return this.#registry.remove(nameOrId);
  }

  async prune(matches: (network: Network) => boolean = () => true): Promise<readonly string[]> {
    const names = await this.#registry.prune(matches);
    this.#emit({ action: 'prune', id: '', attributes: { reclaimed: '0' } });
    return names;
  }

  async createNamespace(id: string): Promise<NetworkNamespace> {
    const path = this.#namespacePath(id);
    // Whoever had it was not released: its process is gone, or it would not be made again.
    if (this.#connections.get(id)) await this.release(id);
    await this.#wiring.createNamespace(path).catch(async (error: { readonly code?: string }) => {
      if (error.code !== 'EEXIST') throw error;
      await this.#wiring.removeNamespace(path);
      await this.#wiring.createNamespace(path);
    });
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
    const record = this.#connections.get(container.id);
    return record && { endpoints: record.endpoints, ports: record.ports };
  }

  async release(containerId: string): Promise<void> {
    await this.#connections.release(containerId);
    await this.#wiring.removeNamespace(this.#namespacePath(containerId));
  }

  nameServer(_endpoints: readonly Endpoint[]): string {
    return GATEWAY_ADDRESS;
  }

  async traffic({ path }: NetworkNamespace): Promise<Readonly<Record<string, DeviceTraffic>>> {
    return readCounters(await this.#wiring.counters(path));
  }

  onEvent(listener: (event: NetworkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** With containers still connected, bridges and rules stay for them; otherwise nothing stays. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all([this.#cleaning, this.#missing]);
    await this.#connections.close();
    await this.#registry.close();
    const bridges = this.#registry.live.map(({ record }) => record.bridge);
    const stays = this.#connections.connected.length > 0;
    if (!stays) await this.#wiring.removeLinks(bridges);
    await this.#wiring.close();
    await this.#firewall.close({ keepTable: stays });
    if (!stays) await removeInstanceDirectory(this.#directory);
  }

  #namespacePath(id: string): string {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id)) {
      throw invalidNetwork(`invalid container ID ${JSON.stringify(id)}`);
    }
    return namespaceFile(this.#directory, id);
  }

  #emit(event: NetworkEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
