/** What networks of containers are: the interface. Names and defaults are Docker's, so that its clients feel at home. */

export interface AddressRange {
  /** CIDR: `172.20.0.0/24` or `fd00::/64`. */
  readonly subnet: string;
  /** Part of the subnet from which addresses are given out. */
  readonly ipRange?: string;
  /** The first address of the subnet unless told. */
  readonly gateway?: string;
  /** Addresses that are never given out, by name. */
  readonly auxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface NetworkSpec {
  /** `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, unique. */
  readonly name: string;
  readonly driver?: 'bridge';
  /** Chosen from the machine's free private ranges unless told. */
  readonly ranges?: readonly AddressRange[];
  /** No way out, and none in from the machine's published ports. */
  readonly internal?: boolean;
  readonly ipv6?: boolean;
  readonly attachable?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** `com.docker.network.bridge.name`, `com.docker.network.bridge.enable_icc`, `…enable_ip_masquerade`, `com.docker.network.driver.mtu`, `com.docker.network.bridge.host_binding_ipv4`; others are refused. */
  readonly options?: Readonly<Record<string, string>>;
}

export interface Network {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  /** `bridge`, or `host` and `none`, which always exist. */
  readonly driver: 'bridge' | 'host' | 'null';
  readonly ranges: readonly (AddressRange & { readonly gateway: string })[];
  readonly internal: boolean;
  readonly ipv6: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Name of the bridge interface; `undefined` for `host` and `none`. */
  readonly bridge: string | undefined;
  /** Epoch ms. */
  readonly created: number;
  /** Those connected now, by container ID. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

/** What a container asks for on one network. */
export interface EndpointSpec {
  /** Name or ID. */
  readonly network: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** `02:42:…` */
  readonly mac?: string;
  /** Names by which others on the network find it, besides its own name and short ID. */
  readonly aliases?: readonly string[];
  /** Names by which this container alone finds others: `db:database`. */
  readonly links?: readonly string[];
}

/** A container's place on one network. */
export interface Endpoint {
  readonly id: string;
  readonly networkId: string;
  readonly networkName: string;
  readonly containerId: string;
  readonly containerName: string;
  /** Interface inside: `eth0`, `eth1`, … */
  readonly device: string;
  readonly mac: string;
  readonly ipv4: string | undefined;
  readonly ipv4PrefixLength: number;
  readonly ipv4Gateway: string | undefined;
  readonly ipv6: string | undefined;
  readonly ipv6PrefixLength: number;
  readonly ipv6Gateway: string | undefined;
  readonly aliases: readonly string[];
  readonly dnsNames: readonly string[];
}

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** `undefined`: 127.0.0.1 and ::1. Kobune publishes to the outside only when told to (`0.0.0.0`, `::`). */
  readonly hostIp?: string;
  /** 0 or `undefined`: the system chooses; a range `8000-8010` takes the first free one. */
  readonly hostPort?: number | { readonly first: number; readonly last: number };
}

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Who is connected. */
export interface ContainerIdentity {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  /** Name servers to ask for names that are no container's, instead of this machine's (`--dns`). */
  readonly nameServers?: readonly string[];
}

/** What one container's connection is, after `connect`. */
export interface Connected {
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PublishedPort[];
}

/** A network namespace for a container: a file to be joined, kept by its mount until `release`. */
export interface NetworkNamespace {
  /** Absolute path, for the OCI runtime's `linux.namespaces[].path`. */
  readonly path: string;
}

export interface NetworkEvent {
  readonly action: 'create' | 'destroy' | 'connect' | 'disconnect' | 'prune';
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/**
 * Networks of containers on this machine: bridges, addresses, names, published ports. State is in the store; after a
 * restart `start` puts back what is missing (bridges, rules, DNS, proxies) and leaves running containers connected.
 * Throws `ServiceError`: `NetworkNotFound` (404), `NetworkInUse` (403), `NameInUse` (409), `SubnetOverlap` (403), `InvalidNetwork` (400),
 * `AddressInUse` (403), `PortInUse` (500: `driver failed programming external connectivity … port is already allocated`).
 */
export interface ContainerNetworks {
  /** The default network `bridge`, `host` and `none` exist from here on; clears what a killed run left half-made. */
  start(): Promise<void>;
  /** One line for each thing that this machine does not let containers' networks do. */
  missing(): Promise<readonly string[]>;
  create(spec: NetworkSpec): Promise<{ readonly network: Network; readonly warning?: string }>;
  find(nameOrId: string): Promise<Network | undefined>;
  list(): Promise<readonly Network[]>;
  remove(nameOrId: string): Promise<void>;
  /** Removes networks without containers that `matches` accepts; answers their names. */
  prune(matches?: (network: Network) => boolean): Promise<readonly string[]>;
  /** A namespace for a container that is about to start, from a pool of prepared ones; about 1 ms. `id` names it. */
  createNamespace(id: string): Promise<NetworkNamespace>;
  /**
   * Connects the container's namespace to all its networks and publishes its ports; the first spec is the default route. All or
   * nothing. An address that the container had before is kept where it is free.
   */
  connect(
    container: ContainerIdentity,
    namespace: NetworkNamespace,
    endpoints: readonly EndpointSpec[],
    ports: readonly PortRequest[],
  ): Promise<Connected>;
  /** One more network for a running container. */
  attach(container: ContainerIdentity, namespace: NetworkNamespace, endpoint: EndpointSpec): Promise<Endpoint>;
  /** One fewer. */
  detach(containerId: string, network: string, namespace: NetworkNamespace | undefined): Promise<void>;
  rename(containerId: string, name: string): Promise<void>;
  /** The container has ended: frees addresses, ports and namespace. What takes long (veth) happens later. Idempotent. */
  release(containerId: string): Promise<void>;
  /** Connections of a container that still runs, after a restart of Kobune: known from the store, served again. */
  adopt(container: ContainerIdentity): Promise<Connected | undefined>;
  /** The address to write as `nameserver` into the container's `/etc/resolv.conf`, for these networks. */
  nameServer(endpoints: readonly Endpoint[]): string;
  /** Bytes and packets by device, as `docker stats` shows them. */
  traffic(namespace: NetworkNamespace): Promise<Readonly<Record<string, DeviceTraffic>>>;
  onEvent(listener: (event: NetworkEvent) => void): () => void;
  close(): Promise<void>;
}

export interface DeviceTraffic {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}
