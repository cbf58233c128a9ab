import { readFile } from 'node:fs/promises';
import { parseAddress, parseSubnet } from '../cidr.ts';
import type { Network } from '../container-networks.ts';
import { DnsServer, type DnsServerOptions } from '../dns-server.ts';
import { AddressPool } from './address-pool.ts';
import type { Element } from './elements.ts';
import { settleBridge } from './host-settings.ts';
import { invalidNetwork } from './network-errors.ts';
import { type BridgeOptions, readOptions } from './network-spec.ts';
import type { EndpointRecord, NetworkRecord } from './records.ts';
import type { Wiring } from './wiring.ts';

/** What the kernel takes beside an interface: shorter than `IFALIASZ` of `linux/if.h` with its closing zero. */
const MOST_ALIAS_BYTES = 254;

/** Opens a listening port of the gateway at an address. */
export type OpenGateway = (address: {
  readonly host: string;
}) => Promise<{ readonly port: number; close(): Promise<void> }>;

export interface RaiseOptions {
  readonly wiring: Wiring;
  readonly openGateway: OpenGateway;
  readonly dns: Pick<DnsServerOptions, 'answer' | 'servers'>;
  /** What `ip link` shows beside the bridge, and how we know it again. */
  readonly alias: string;
}

/** A network while Kobune runs: its bridge, its name server, its port of the gateway, and who is on it. */
export class LiveNetwork {
  readonly record: NetworkRecord;
  readonly options: BridgeOptions;
  readonly pools: readonly AddressPool[];
  /** By container. */
  readonly #endpoints = new Map<string, EndpointRecord>();
  readonly #byAddress = new Map<string, EndpointRecord>();
  /** In lower case. A name may be several containers'. */
  readonly #byName = new Map<string, Set<EndpointRecord>>();
  /** Why it cannot be used, if so. */
  down: string | undefined;
  #dns: DnsServer | undefined;
  #gateway: Awaited<ReturnType<OpenGateway>> | undefined;

  constructor(record: NetworkRecord) {
    this.record = record;
    this.options = readOptions(record.options);
    this.pools = record.ranges.map((range) => new AddressPool(range));
  }

  get gatewayAddress(): string {
    return this.record.ranges[0]!.gateway;
  }

  /** By container. */
  get endpoints(): ReadonlyMap<string, EndpointRecord> {
    return this.#endpoints;
  }

  endpointAt(address: string): EndpointRecord | undefined {
    return this.#byAddress.get(address);
  }

  /** Those that a name in lower case leads to. */
  endpointsNamed(name: string): readonly EndpointRecord[] {
    return [...(this.#byName.get(name) ?? [])];
  }

  /** Adds an endpoint, or puts it in the place of the container's former one. */
  place(endpoint: EndpointRecord): void {
    this.drop(endpoint.containerId);
    this.#endpoints.set(endpoint.containerId, endpoint);
    for (const address of [endpoint.ipv4, endpoint.ipv6]) if (address) this.#byAddress.set(address, endpoint);
    for (const name of namesOf(endpoint)) {
      const same = this.#byName.get(name);
      if (same) same.add(endpoint);
      else this.#byName.set(name, new Set([endpoint]));
    }
  }

  drop(containerId: string): void {
    const endpoint = this.#endpoints.get(containerId);
    if (!endpoint) return;
    this.#endpoints.delete(containerId);
    for (const address of [endpoint.ipv4, endpoint.ipv6]) if (address) this.#byAddress.delete(address);
    for (const name of namesOf(endpoint)) {
      const same = this.#byName.get(name);
      same?.delete(endpoint);
      if (same?.size === 0) this.#byName.delete(name);
    }
  }

  /**
   * Brings it up, on the bridge that a former run left if there is one. Throws what is in the way, with nothing left
   * that was not there before.
   */
  async raise({ wiring, openGateway, dns, alias }: RaiseOptions): Promise<void> {
    const { bridge, ranges, ipv6 } = this.record;
    const made = await this.#makeBridge(wiring, alias);
    try {
      await settleBridge(bridge, ipv6);
      for (const { subnet, gateway } of ranges) {
        const address = `${gateway}/${parseSubnet(subnet)!.prefixLength}`;
        await wiring.addAddress(bridge, address).catch((error: { readonly code?: string }) => {
          if (made || error.code !== 'EEXIST') throw error;
        });
      }
      this.#gateway = await openGateway({ host: this.gatewayAddress });
      this.#dns = await DnsServer.start({ sockets: { address: this.gatewayAddress }, ...dns });
    } catch (error) {
      await this.lower();
      if (made) await wiring.removeLinks([bridge]);
      throw error;
    }
  }

  /** Answers whether there was none. */
  async #makeBridge(wiring: Wiring, alias: string): Promise<boolean> {
    const { bridge, name } = this.record;
    const label = `${alias} ${name}`.slice(0, MOST_ALIAS_BYTES);
    try {
      const mac = macOf(this.gatewayAddress);
      await wiring.createBridge({ name: bridge, mac, mtu: this.options.mtu, alias: label });
      return true;
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'EEXIST') throw error;
      const known = await readFile(`/sys/class/net/${bridge}/ifalias`, 'utf8').catch(() => '');
      if (known.trim() === label) return false;
      throw invalidNetwork(`the interface ${bridge} is there already, and is not of this network`);
    }
  }

  /** Ends what this process does for it; the bridge stays. */
  async lower(): Promise<void> {
    const [gateway, dns] = [this.#gateway, this.#dns];
    this.#gateway = undefined;
    this.#dns = undefined;
    await Promise.all([gateway?.close(), dns?.close()]);
  }

  /** What the rules must know of it. */
  elements(): Element[] {
    const { bridge, internal } = this.record;
    return [
      { set: 'bridges', key: [bridge] },
      ...(internal ? [{ set: 'internal', key: [bridge] } as const] : []),
      ...(this.options.masquerade && !internal ? [{ set: 'masqueraded', key: [bridge] } as const] : []),
      ...(this.options.neighbours ? [{ set: 'neighbours', key: [bridge, bridge] } as const] : []),
      ...this.record.ranges.map(({ subnet, gateway }): Element => {
        return { set: gateway.includes(':') ? 'subnets6' : 'subnets4', key: [subnet, subnet] };
      }),
      ...(this.#gateway ? [{ set: 'gateways', key: [bridge], value: [String(this.#gateway.port)] } as const] : []),
      ...(this.#dns ? [{ set: 'resolvers', key: [bridge], value: [String(this.#dns.port)] } as const] : []),
    ];
  }

  toNetwork(): Network {
    const { id, name, ranges, internal, ipv6, attachable, labels, options, bridge, created } = this.record;
    return {
      id,
      name,
      driver: 'bridge',
      ranges,
      internal,
      ipv6,
      attachable,
      labels,
      options,
      bridge,
      created,
      endpoints: new Map(this.#endpoints),
    };
  }
}

const namesOf = ({ dnsNames }: EndpointRecord) => new Set(dnsNames.map((name) => name.toLowerCase()));

/** A MAC address made from an IPv4 one, locally administered: who has the address always has the same. */
export function macOf(address: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(parseAddress(address)!.value));
  return ['02', '42', ...bytes.toString('hex').match(/../g)!].join(':');
}
