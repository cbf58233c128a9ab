import type { Logger } from '../../base/logger.ts';
import { GATEWAY_ADDRESS } from '../addresses.ts';
import { formatAddress, parseAddress } from '../cidr.ts';
import type { PortRequest, PublishedPort } from '../container-networks.ts';
import { type Element, PROTOCOL_NUMBERS } from './elements.ts';
import { invalidNetwork } from './network-errors.ts';
import { claimPort, type PortClaim } from './port-claim.ts';

/** The container's end of published ports. */
export interface Destination {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
}

const LOOPBACKS = ['127.0.0.1', '::1'] as const;
/** When the system chooses a port at one address, another may have none of that number free. */
const MOST_ATTEMPTS = 20;

/** A port that is taken, or that this machine cannot take: the text that Docker has for it. */
export class PortUnavailable extends Error {}

interface Published {
  readonly port: PublishedPort;
  /** Nobody told an address: this machine's loopback, and its containers by the machine's name. */
  readonly byDefault: boolean;
  /** `undefined` when the port could not be taken again after a restart: rules still lead to the container. */
  readonly claim: PortClaim | undefined;
}

/** The ports that are published for one container. */
export class PublishedPorts {
  readonly #published: Published[] = [];
  #destination: Destination | undefined;
  #elements: readonly Element[] = [];

  get ports(): readonly PublishedPort[] {
    return this.#published.map(({ port }) => port);
  }

  /** Takes ports of this machine. All or none; throws {@link PortUnavailable}. */
  async claim(requests: readonly PortRequest[], defaultHostIp: string | undefined): Promise<void> {
    try {
      for (const request of requests) this.#published.push(...(await this.#claimOne(checked(request), defaultHostIp)));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes the same ports again after a restart. Somebody may have taken one meanwhile. */
  async reclaim(ports: readonly PublishedPort[], requests: readonly PortRequest[], logger: Logger): Promise<void> {
    for (const port of ports) {
      const byDefault = requests.some(
        (request) =>
          !request.hostIp && request.containerPort === port.containerPort && request.protocol === port.protocol,
      );
      let claim: PortClaim | undefined;
      try {
        claim = await this.#take(port);
      } catch (error) {
        const reason = (error as Error).message;
        logger.warn('a published port was taken by another program meanwhile', { ...port, reason });
      }
      this.#published.push({ port, byDefault, claim });
    }
  }

  /** Where the ports lead from now on; answers what the rules no longer need and what they need now. */
  lead(destination: Destination | undefined): {
    readonly removed: readonly Element[];
    readonly added: readonly Element[];
  } {
    const removed = this.#elements;
    this.#destination = destination;
    this.#elements = destination ? this.#published.flatMap((published) => elementsOf(published, destination)) : [];
    return { removed, added: this.#elements };
  }

  /** Gives them back: there are none any more. */
  async close(): Promise<void> {
    await Promise.all(this.#published.splice(0).map(({ claim }) => claim?.close()));
  }

  async #claimOne(request: PortRequest, defaultHostIp: string | undefined): Promise<readonly Published[]> {
    const byDefault = !request.hostIp && defaultHostIp === undefined;
    const hostIps = request.hostIp ? [request.hostIp] : defaultHostIp ? [defaultHostIp] : LOOPBACKS;
    const candidates = candidatesOf(request);
    for (const [index, candidate] of candidates.entries()) {
      const taken: Published[] = [];
      let hostPort = candidate;
      try {
        for (const hostIp of hostIps) {
          const port = { containerPort: request.containerPort, protocol: request.protocol, hostIp, hostPort };
          const claim = await this.#take(port).catch((error: NodeJS.ErrnoException) => {
            // A machine without IPv6 has no such loopback; nobody asked for it by name.
            if (hostIp === LOOPBACKS[1] && byDefault && NO_IPV6.includes(error.code ?? '')) return undefined;
            throw error;
          });
          if (!claim) continue;
          hostPort = claim.port;
          taken.push({ port: { ...port, hostPort }, byDefault, claim });
        }
        return taken;
      } catch (error) {
        await Promise.all(taken.map(({ claim }) => claim?.close()));
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'EADDRINUSE' && index < candidates.length - 1) continue;
        const where = `${hostIps[taken.length]}:${candidate === 0 ? hostPort : candidate}`;
        throw new PortUnavailable(
          code === 'EADDRINUSE'
            ? `Bind for ${where} failed: port is already allocated`
            : `Bind for ${where} failed: ${message}`,
        );
      }
    }
    throw new PortUnavailable('no port to choose from');
  }

  #take({ protocol, hostIp, hostPort, containerPort }: PublishedPort): Promise<PortClaim> {
    return claimPort(protocol === 'udp' ? 'udp' : 'tcp', hostIp, hostPort, () => {
      const { ipv4, ipv6 } = this.#destination ?? {};
      const host = hostIp.includes(':') ? (ipv6 ?? ipv4) : ipv4;
      return host === undefined ? undefined : { host, port: containerPort };
    });
  }
}

const NO_IPV6 = ['EADDRNOTAVAIL', 'EAFNOSUPPORT'];

function candidatesOf({ hostPort = 0 }: PortRequest): readonly number[] {
  if (typeof hostPort === 'number') return hostPort === 0 ? Array<number>(MOST_ATTEMPTS).fill(0) : [hostPort];
  return Array.from({ length: hostPort.last - hostPort.first + 1 }, (_, index) => hostPort.first + index);
}

function checked(request: PortRequest): PortRequest {
  const { containerPort, protocol, hostIp, hostPort = 0 } = request;
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw invalidNetwork(`publishing ${String(protocol)} ports is not supported (supported: tcp, udp)`);
  }
  if (!isPort(containerPort) || containerPort === 0) throw invalidNetwork(`invalid port ${containerPort}`);
  const { first, last } = typeof hostPort === 'number' ? { first: hostPort, last: hostPort } : hostPort;
  if (!isPort(first) || !isPort(last) || last < first || (first === 0 && last > 0)) {
    throw invalidNetwork(`invalid host port ${first === last ? first : `${first}-${last}`}`);
  }
  if (!hostIp) return request;
  const address = parseAddress(hostIp);
  // An IPv4 address in the dress of IPv6 would be neither family's.
  if (!address || (address.family === 6 && address.value >> 32n === 0xffffn))
    throw invalidNetwork(`invalid host IP address ${hostIp}`);
  return { ...request, hostIp: formatAddress(address) };
}

const isPort = (port: number) => Number.isInteger(port) && port >= 0 && port <= 65_535;

/** What the rules need for a port. Only `::1` cannot be sent on by them. */
function elementsOf({ port, byDefault }: Published, { ipv4, ipv6 }: Destination): Element[] {
  const { protocol, hostIp, hostPort, containerPort } = port;
  const number = PROTOCOL_NUMBERS[protocol as 'tcp' | 'udp'];
  const v6 = hostIp.includes(':');
  const address = v6 ? ipv6 : ipv4;
  if (address === undefined || hostIp === '::1') return [];
  const value = [address, String(containerPort)];
  const at = (host: string): Element => ({
    set: v6 ? 'ports6' : 'ports4',
    key: [number, host, String(hostPort)],
    value,
  });
  if (hostIp === '0.0.0.0' || hostIp === '::') {
    return [{ set: v6 ? 'ports6_any' : 'ports4_any', key: [number, String(hostPort)], value }];
  }
  return byDefault ? [at(hostIp), at(GATEWAY_ADDRESS)] : [at(hostIp)];
}
