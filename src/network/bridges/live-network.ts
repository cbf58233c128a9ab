import { formatAddress, parseAddress, parseSubnet } from '../cidr.ts';
import type { Network } from '../container-networks.ts';
import { DnsServer, type DnsServerOptions } from '../dns-server.ts';
import { AddressPool } from './address-pool.ts';
import type { Element } from './elements.ts';
import { settleBridge } from './host-settings.ts';
import { type BridgeOptions, readOptions } from './network-spec.ts';
import type { EndpointRecord, NetworkRecord } from './records.ts';
import type { Wiring } from './wiring.ts';

/** Opens a listening port of the gateway at an address. */
export type OpenGateway = (address: {
  readonly host: string;
}) => Promise<{ readonly port: number; close(): Promise<void> }>;

export interface RaiseOptions {
  readonly wiring: Wiring;
  readonly openGateway: OpenGateway;
  readonly dns: Pick<DnsServerOptions, 'answer' | 'servers'>;
  /** What `ip link` shows beside the bridge. */
  readonly alias: string;
  /** The bridge is there already, with its addresses. */
  readonly standing: boolean;
}

/** A network while Kobune runs: its bridge, its name server, its port of the gateway, and who is on it. */
export class LiveNetwork {
  readonly record: NetworkRecord;
  readonly options: BridgeOptions;
  readonly pools: readonly AddressPool[];
  /** By container. */
  readonly endpoints = new Map<string, EndpointRecord>();
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

  /** Brings it up. Throws the kernel's error, with nothing left: `EEXIST` when an interface of that name is there. */
  async raise({ wiring, openGateway, dns, alias, standing }: RaiseOptions): Promise<void> {
    const { bridge, ranges, ipv6 } = this.record;
    if (!standing) {
      await wiring.createBridge({ name: bridge, mac: macOf(this.gatewayAddress), mtu: this.options.mtu, alias });
    }
    try {
      await settleBridge(bridge, ipv6);
      if (!standing) {
        await wiring.addAddresses(
          bridge,
          ranges.map(({ subnet, gateway }) => `${gateway}/${parseSubnet(subnet)!.prefixLength}`),
        );
      }
      this.#gateway = await openGateway({ host: this.gatewayAddress });
      this.#dns = await DnsServer.start({ sockets: { address: this.gatewayAddress }, ...dns });
    } catch (error) {
      await this.lower();
      if (!standing) await wiring.removeLinks([bridge]);
      throw error;
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
      endpoints: new Map(this.endpoints),
    };
  }
}

/** A MAC address made from an IPv4 one, locally administered: who has the address always has the same. */
export function macOf(address: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(parseAddress(address)!.value));
  return ['02', '42', ...bytes.toString('hex').match(/../g)!].join(':');
}

export const gatewayOf = (range: { readonly subnet: string; readonly gateway: string }) =>
  formatAddress(parseAddress(range.gateway)!);
