import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { CLONE_NEWNET, type Kernel, KernelError } from '../kernel.ts';
import { addAddress, addRoute, Netlink, type NetlinkRequest, setUp } from '../netlink.ts';
import { dockerResolverMessages } from './docker-resolver.ts';
import { endOf } from './ending-cables.ts';
import { forgetFlows } from './flows.ts';
import { rulesSeeBridgedPackets } from './host-settings.ts';
import { removeLinks } from './ip-program.ts';
import {
  createBridge,
  createCable,
  dress,
  putOnBridge,
  removeLink,
  setAlias,
  setPortMode,
  setUpSilent,
} from './link-requests.ts';
import { NftablesSocket } from './nftables-socket.ts';
import type { BridgeSpec, CableSpec, InsideRoute, Wiring } from './wiring.ts';

const LOOPBACK = 1;
const MS_BIND = 4096n;
const MNT_DETACH = 2;
const FIRST_DEVICE = 'eth0';
/** So many namespaces wait, each with a cable in it. One takes 1.6 ms to make, 60 KB of the kernel's memory to keep. */
const POOL_SIZE = 4;
/** The pool is filled up when nobody has wanted one for so long: a burst of starts is not slowed down by it. */
const REFILL_AFTER_MS = 25;

/** A cable's two ends. */
interface Cable {
  /** Name and number of the end on this side. */
  readonly end: string;
  readonly endIndex: number;
  /** Number of the interface inside. */
  readonly insideIndex: number;
}

/** A namespace that waits: nothing but our descriptor keeps it, so it ends with us. */
interface Prepared {
  readonly namespace: number;
  readonly inside: Netlink;
  readonly cable: Cable;
}

export interface NetlinkWiringOptions {
  readonly kernel: Kernel;
  /** Makes up names for cables' ends on this side. */
  readonly cableName: () => string;
}

/** {@link Wiring} by system calls of this process: a namespace with its cable is handed out in 0.6 ms. */
export class NetlinkWiring implements Wiring {
  readonly #kernel: Kernel;
  readonly #cableName: () => string;
  readonly #host: Netlink;
  readonly #waiting: Prepared[] = [];
  /** Handed out but not plugged yet, by path. */
  readonly #handedOut = new Map<string, Prepared>();
  #refill: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ kernel, cableName }: NetlinkWiringOptions) {
    this.#kernel = kernel;
    this.#cableName = cableName;
    this.#host = new Netlink(kernel);
  }

  async createBridge({ name, mac, mtu, alias }: BridgeSpec): Promise<void> {
    this.#host.run(createBridge({ name, mac, mtu }));
    this.#host.run(setAlias(name, alias));
  }

  async addAddress(device: string, address: string): Promise<void> {
    this.#host.run(addAddress(indexOf(this.#host, device), ...split(address)));
  }

  async createNamespace(path: string): Promise<void> {
    // One that is there already is not this call's to remove.
    writeFileSync(path, '', { flag: 'wx', mode: 0o600 });
    let prepared: Prepared | undefined;
    try {
      prepared = this.#waiting.shift() ?? this.#prepare();
      this.#refillSoon();
      this.#kernel.call('mount', `/proc/self/fd/${prepared.namespace}`, path, 'none', MS_BIND, '');
    } catch (error) {
      rmSync(path, { force: true });
      if (prepared) this.#drop(prepared);
      throw error;
    }
    this.#handedOut.set(path, prepared);
  }

  async removeNamespace(path: string): Promise<void> {
    const prepared = this.#handedOut.get(path);
    this.#handedOut.delete(path);
    if (prepared) this.#drop(prepared);
    unmount(this.#kernel, path);
    rmSync(path, { force: true });
  }

  async plug(path: string, cables: readonly CableSpec[], routes: readonly InsideRoute[]): Promise<readonly string[]> {
    const prepared = this.#handedOut.get(path);
    this.#handedOut.delete(path);
    const namespace = prepared?.namespace ?? openSync(path, 'r');
    const inside = prepared?.inside ?? this.#kernel.within(namespace, CLONE_NEWNET, () => new Netlink(this.#kernel));
    const ends: string[] = [];
    let spare = prepared?.cable;
    try {
      const requests: NetlinkRequest[] = [];
      const indexes = new Map<string, number>();
      for (const spec of cables) {
        const { device, mac, mtu, addresses } = spec;
        const cable = spare && device === FIRST_DEVICE ? spare : this.#layCable(namespace, inside, device);
        if (cable === spare) spare = undefined;
        ends.push(cable.end);
        this.#attach(cable.end, cable.endIndex, spec);
        if (addresses.some((address) => address.includes(':'))) this.#allowIPv6(namespace, device);
        indexes.set(device, cable.insideIndex);
        requests.push(
          dress(cable.insideIndex, mac, mtu),
          ...addresses.map((address) => addAddress(cable.insideIndex, ...split(address))),
        );
      }
      const routed = routes.map(({ to, via, device }) =>
        addRoute({ to, via, device: indexes.get(device) ?? indexOf(inside, device) }),
      );
      inside.run(...requests, ...routed);
      return ends;
    } catch (error) {
      await this.removeLinks(ends);
      throw error;
    } finally {
      inside.close();
      closeSync(namespace);
      if (spare !== undefined) await this.removeLinks([spare.end]);
    }
  }

  async addResolver(path: string): Promise<void> {
    const namespace = openSync(path, 'r');
    try {
      this.#kernel.within(namespace, CLONE_NEWNET, () => {
        const rules = new NftablesSocket(this.#kernel);
        try {
          rules.run(dockerResolverMessages());
        } finally {
          rules.close();
        }
        // Only behind those rules: it lets loopback addresses out, and would let them in.
        settings('ipv4/conf', { 'all/route_localnet': '1' });
      });
    } finally {
      closeSync(namespace);
    }
  }

  async reattach(hostDevice: string, cable: Pick<CableSpec, 'bridge' | 'isolated' | 'mtu'>): Promise<void> {
    this.#attach(hostDevice, indexOf(this.#host, hostDevice), cable);
  }

  async setRoutes(path: string, routes: readonly InsideRoute[]): Promise<void> {
    const namespace = openSync(path, 'r');
    try {
      const inside = this.#kernel.within(namespace, CLONE_NEWNET, () => new Netlink(this.#kernel));
      try {
        inside.run(...routes.map(({ to, via, device }) => addRoute({ to, via, device: indexOf(inside, device) })));
      } finally {
        inside.close();
      }
    } finally {
      closeSync(namespace);
    }
  }

  async removeLinks(names: readonly string[]): Promise<void> {
    try {
      await removeLinks(names);
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'ENOENT') throw error;
      // There is no such program: then this thread waits.
      for (const name of names) if (this.#host.indexOf(name) !== undefined) this.#host.run(removeLink(name));
    }
  }

  async forgetFlows(addresses: readonly string[]): Promise<void> {
    forgetFlows(this.#kernel, addresses);
  }

  async counters(path: string): Promise<string> {
    const namespace = openSync(path, 'r');
    try {
      return this.#kernel.within(namespace, CLONE_NEWNET, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    } finally {
      closeSync(namespace);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#refill);
    const unused = [...this.#waiting.splice(0), ...this.#handedOut.values()];
    for (const prepared of unused) this.#drop(prepared);
    this.#handedOut.clear();
    await endOf(
      this,
      unused.map(({ cable }) => cable.end),
    );
    this.#host.close();
  }

  #prepare(): Prepared {
    let inside: Netlink | undefined;
    const namespace = this.#kernel.create(CLONE_NEWNET, () => {
      // As in Docker, there is no IPv6 at all until a network with it is connected.
      settings('ipv6/conf', { 'all/disable_ipv6': '1', 'default/disable_ipv6': '1', 'default/accept_ra': '0' });
      inside = new Netlink(this.#kernel);
    });
    try {
      const cable = this.#layCable(namespace, inside!, FIRST_DEVICE);
      // Both ends are up well before they are needed: the kernel takes a moment.
      inside!.run(setUp(LOOPBACK), setUp(cable.insideIndex));
      return { namespace, inside: inside!, cable };
    } catch (error) {
      inside!.close();
      closeSync(namespace);
      throw error;
    }
  }

  #drop({ namespace, inside }: Prepared): void {
    inside.close();
    closeSync(namespace);
  }

  #refillSoon(): void {
    clearTimeout(this.#refill);
    if (this.#closed || this.#waiting.length >= POOL_SIZE) return;
    this.#refill = setTimeout(() => {
      try {
        this.#waiting.push(this.#prepare());
      } catch {
        // Whoever needs one next is told why there is none.
        return;
      }
      this.#refillSoon();
    }, REFILL_AFTER_MS);
    this.#refill.unref();
  }

  #layCable(namespace: number, inside: Netlink, device: string): Cable {
    const end = this.#cableName();
    this.#host.run(createCable({ name: end, peerName: device, peerNamespace: namespace }), setUpSilent(end));
    return { end, endIndex: indexOf(this.#host, end), insideIndex: indexOf(inside, device) };
  }

  #attach(end: string, index: number, { bridge, isolated, mtu }: Pick<CableSpec, 'bridge' | 'isolated' | 'mtu'>): void {
    const hairpin = rulesSeeBridgedPackets();
    this.#host.run(
      putOnBridge(end, indexOf(this.#host, bridge), mtu),
      ...(isolated || hairpin ? [setPortMode(index, { isolated, hairpin })] : []),
    );
  }

  #allowIPv6(namespace: number, device: string): void {
    this.#kernel.within(namespace, CLONE_NEWNET, () => {
      settings('ipv6/conf', { 'lo/disable_ipv6': '0', [`${device}/disable_ipv6`]: '0' });
    });
  }
}

function indexOf(netlink: Netlink, device: string): number {
  const index = netlink.indexOf(device);
  if (index === undefined) throw new KernelError(`find interface ${device}`, ENODEV);
  return index;
}

const ENODEV = 19;

function split(address: string): [address: string, prefixLength: number] {
  const [host, length] = address.split('/');
  return [host!, Number(length)];
}

/**
 * Writes settings below one directory. To find that directory takes the kernel the longer the more namespaces there are
 * (each has one of the same name), so it is looked for once.
 */
function settings(directory: string, values: Readonly<Record<string, string>>): void {
  let found: number;
  try {
    found = openSync(`/proc/sys/net/${directory}`, 'r');
  } catch (error) {
    // A kernel without IPv6 has no settings of it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    for (const [name, value] of Object.entries(values)) writeFileSync(`/proc/self/fd/${found}/${name}`, value);
  } finally {
    closeSync(found);
  }
}

function unmount(kernel: Kernel, path: string): void {
  try {
    kernel.call('umount2', path, MNT_DETACH);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    // Not there, or a file that nothing was mounted on.
    if (code !== 'ENOENT' && code !== 'EINVAL') throw error;
  }
}
