import { type Answer, decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import { GATEWAY_ADDRESS } from '../addresses.ts';
import { contains, parseAddress, parseReverseName } from '../cidr.ts';
import type { LiveNetwork } from './live-network.ts';
import type { ContainerRecord, EndpointRecord } from './records.ts';

/** A name may lead elsewhere as soon as a container is replaced. */
const TTL_SECONDS = 5;
const NXDOMAIN = 3;
const AUTHORITATIVE_ANSWER = 1 << 10;
const TRUNCATED = 1 << 9;
const RECURSION_AVAILABLE = 1 << 7;
/** Of an answer over UDP, unless the question says more (RFC 1035, 2.3.4); what passes everywhere (RFC 9715). */
const LEAST_UDP_BYTES = 512;
const MOST_UDP_BYTES = 1232;
/** Of an answer over TCP, whose length is told in two bytes (RFC 1035, 4.2.2). */
const MOST_TCP_BYTES = 65_535;

/** Docker Desktop's names of the machine. Here they lead to what containers may reach of it: the cloud, and published ports. */
const MACHINE_NAMES = ['host.docker.internal', 'gateway.docker.internal'];

export interface ContainerNamesOptions {
  /** Names that are the gateway, with all below them. */
  readonly cloudNames: readonly string[];
  readonly networkOf: (id: string) => LiveNetwork | undefined;
  readonly containerOf: (id: string) => ContainerRecord | undefined;
}

type Found =
  | { readonly type: 'addresses'; readonly endpoints: readonly EndpointRecord[] }
  | { readonly type: 'gateway' };

/** What names mean inside containers. Whoever asks finds the containers on networks that he is on too. */
export class ContainerNames {
  readonly #options: ContainerNamesOptions;
  readonly #turns = { A: 0, AAAA: 0 };

  constructor(options: ContainerNamesOptions) {
    this.#options = options;
  }

  /** The answer to a question that arrived on `network` from the address `from`; `undefined`: the outside knows. Throws on a broken one. */
  answer(network: LiveNetwork, query: Buffer, from: string, overTcp: boolean): Buffer | undefined {
    const packet = decode(query);
    const question = packet.questions?.[0];
    if (packet.type !== 'query' || !question) throw new Error('not a question');
    const name = question.name.toLowerCase().replace(/\.$/, '');
    const networks = this.#networksOf(network, from);
    if (question.type === 'PTR') {
      const pointer = this.#reverse(networks, name);
      if (pointer === 'outside') return this.#outside(networks, packet, overTcp);
      if (pointer === undefined) return reply(packet, [], NXDOMAIN, overTcp);
      return reply(packet, [{ type: 'PTR', name: question.name, ttl: TTL_SECONDS, data: pointer }], 0, overTcp);
    }
    const wanted = question.type === 'AAAA' ? 'ipv6' : 'ipv4';
    const found = this.#find(network, networks, from, name, wanted);
    if (!found) return this.#outside(networks, packet, overTcp);
    const { type } = question;
    const answers: Answer[] =
      type === 'A' || type === 'AAAA'
        ? this.#addresses(found, type).map((data) => ({ type, name: question.name, ttl: TTL_SECONDS, data }))
        : [];
    // Of other kinds there is none: the name exists, without such a record.
    return reply(packet, answers, 0, overTcp);
  }

  /** Name servers that the asking container was given for all other names. */
  serversOf(network: LiveNetwork, from: string): readonly string[] {
    const asker = network.endpointAt(from);
    return (asker && this.#options.containerOf(asker.containerId)?.nameServers) ?? [];
  }

  /** Those of the asking container, the asked one first. Somebody whom we do not know is on the asked one alone. */
  #networksOf(network: LiveNetwork, from: string): readonly LiveNetwork[] {
    const asker = network.endpointAt(from);
    const record = asker && this.#options.containerOf(asker.containerId);
    const others = (record?.endpoints ?? []).flatMap(({ networkId }) => this.#options.networkOf(networkId) ?? []);
    return [...new Set([network, ...others])];
  }

  /** A name may be on several networks: the first that has an address of the family that is asked for is meant. */
  #find(
    network: LiveNetwork,
    networks: readonly LiveNetwork[],
    from: string,
    name: string,
    wanted: 'ipv4' | 'ipv6',
  ): Found | undefined {
    const found = [...this.#named(network, networks, from, name)];
    const endpoints = found.find((some) => some.some((endpoint) => endpoint[wanted] !== undefined)) ?? found[0];
    if (endpoints) return { type: 'addresses', endpoints };
    const { cloudNames } = this.#options;
    if (MACHINE_NAMES.includes(name) || cloudNames.some((own) => name === own || name.endsWith(`.${own}`))) {
      return { type: 'gateway' };
    }
    return undefined;
  }

  /** The containers of a name, network by network. */
  *#named(network: LiveNetwork, networks: readonly LiveNetwork[], from: string, name: string) {
    for (const one of networks) {
      const linked = one === network ? linkTarget(one.endpointAt(from), name) : this.#linkOn(one, network, from, name);
      const endpoints = one.endpointsNamed(linked ?? name);
      if (endpoints.length > 0) yield endpoints;
    }
    // Also as NAME.NETWORK, as in Docker.
    for (const one of networks) {
      const suffix = `.${one.record.name.toLowerCase()}`;
      if (!name.endsWith(suffix)) continue;
      const endpoints = one.endpointsNamed(name.slice(0, -suffix.length));
      if (endpoints.length > 0) yield endpoints;
    }
  }

  /** The asker's own links on another of its networks. */
  #linkOn(other: LiveNetwork, network: LiveNetwork, from: string, name: string): string | undefined {
    const asker = network.endpointAt(from);
    return asker && linkTarget(other.endpoints.get(asker.containerId), name);
  }

  #reverse(networks: readonly LiveNetwork[], name: string): string | 'outside' | undefined {
    const text = parseReverseName(name);
    const address = text === undefined ? undefined : parseAddress(text);
    if (text === undefined || !address) return 'outside';
    for (const network of networks) {
      if (!network.pools.some(({ subnet }) => contains(subnet, address))) continue;
      const endpoint = network.endpointAt(text);
      return endpoint && `${endpoint.containerName}.${network.record.name}`;
    }
    return 'outside';
  }

  /** From networks without a way out names do not get out either: they could carry anything. */
  #outside(networks: readonly LiveNetwork[], packet: Packet, overTcp: boolean): Buffer | undefined {
    return networks.every(({ record }) => record.internal) ? reply(packet, [], NXDOMAIN, overTcp) : undefined;
  }

  /** Another one comes first each time. Each family has its turns: whoever asks usually asks for both. */
  #addresses(found: Found, type: 'A' | 'AAAA'): readonly string[] {
    if (found.type === 'gateway') return type === 'A' ? [GATEWAY_ADDRESS] : [];
    const addresses = found.endpoints.flatMap(({ ipv4, ipv6 }) => (type === 'A' ? ipv4 : ipv6) ?? []);
    if (addresses.length < 2) return addresses;
    const first = this.#turns[type]++ % addresses.length;
    return [...addresses.slice(first), ...addresses.slice(0, first)];
  }
}

function linkTarget(asker: EndpointRecord | undefined, name: string): string | undefined {
  for (const link of asker?.links ?? []) {
    const [container, alias = container] = link.split(':');
    // A whole ID is found by its beginning.
    if (alias!.toLowerCase() === name) return container!.toLowerCase().replace(/^([0-9a-f]{12})[0-9a-f]{52}$/, '$1');
  }
  return undefined;
}

function reply(query: Packet, answers: Answer[], code: number, overTcp: boolean): Buffer {
  const desired = (query.flags ?? 0) & RECURSION_DESIRED;
  const extended = query.additionals?.find((record) => record.type === 'OPT');
  const response: Packet = {
    type: 'response',
    id: query.id ?? 0,
    flags: desired | RECURSION_AVAILABLE | AUTHORITATIVE_ANSWER | code,
    questions: query.questions ?? [],
    answers,
    // Who writes the extension gets it back (RFC 6891, 6.1.1).
    additionals: extended
      ? [
          {
            type: 'OPT',
            name: '.',
            udpPayloadSize: MOST_UDP_BYTES,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  };
  const bytes = encode(response);
  const allowed = Math.min(Math.max(extended?.udpPayloadSize ?? 0, LEAST_UDP_BYTES), MOST_UDP_BYTES);
  if (bytes.length <= (overTcp ? MOST_TCP_BYTES : allowed)) return bytes;
  if (!overTcp) return encode({ ...response, flags: (response.flags ?? 0) | TRUNCATED, answers: [] });
  // All are of one name, and so of one length.
  const fitting = Math.floor((MOST_TCP_BYTES * answers.length) / bytes.length);
  return encode({ ...response, answers: answers.slice(0, fitting) });
}
