/** What is asked of the kernel's network, whichever way it is asked: by system calls, or by the `ip` program. */

export interface BridgeSpec {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  /** What `ip link` shows beside it. */
  readonly alias: string;
}

/** A cable from a bridge into a namespace. */
export interface CableSpec {
  readonly bridge: string;
  /** Reaches the bridge itself, and no other cable on it that is isolated too. */
  readonly isolated: boolean;
  /** Name of the interface inside. */
  readonly device: string;
  readonly mac: string;
  readonly mtu: number;
  /** With prefix length. */
  readonly addresses: readonly string[];
}

export interface InsideRoute {
  /** One address; `undefined`: the default route of the family of `via`. */
  readonly to: string | undefined;
  readonly via: string;
  readonly device: string;
}

/** Throws errors with the kernel's `code` where it can tell it: `EEXIST`, `ENODEV`, … */
export interface Wiring {
  createBridge(bridge: BridgeSpec): Promise<void>;
  /** Gives an interface of this side an address with its prefix length. */
  addAddress(device: string, address: string): Promise<void>;
  /** An empty network namespace with its loopback up, kept by a mount on the file `path`, which must not exist. */
  createNamespace(path: string): Promise<void>;
  /** Lets go of it. It and its cables end when no process is in it any more. Nothing happens when there is none. */
  removeNamespace(path: string): Promise<void>;
  /** Lays cables into the namespace, and sets routes in it; answers the names of their ends here. All or nothing. */
  plug(path: string, cables: readonly CableSpec[], routes: readonly InsideRoute[]): Promise<readonly string[]>;
  /** Has the namespace's questions to Docker's name server answered by ours. Once for each namespace. */
  addResolver(path: string): Promise<void>;
  /** Puts the end of a cable that exists (back) on its bridge. `ENODEV` when there is none. */
  reattach(hostDevice: string, cable: Pick<CableSpec, 'bridge' | 'isolated' | 'mtu'>): Promise<void>;
  setRoutes(path: string, routes: readonly InsideRoute[]): Promise<void>;
  /** Removes interfaces of this side, without keeping this thread waiting. Those that are not there are gone already. */
  removeLinks(names: readonly string[]): Promise<void>;
  /** Has the kernel forget that it sends flows of UDP to these addresses. */
  forgetFlows(addresses: readonly string[]): Promise<void>;
  /** The namespace's `/proc/net/dev`. */
  counters(path: string): Promise<string>;
  /** Ends namespaces that were prepared or handed out and not plugged. */
  close(): Promise<void>;
}
