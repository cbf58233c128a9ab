import { rm, writeFile } from 'node:fs/promises';
import { DOCKER_RESOLVER_RULES } from './docker-resolver.ts';
import { rulesSeeBridgedPackets } from './host-settings.ts';
import { ip, removeLinks } from './ip-program.ts';
import { type ProgramError, runProgram } from './program.ts';
import type { BridgeSpec, CableSpec, InsideRoute, Wiring } from './wiring.ts';

/** {@link Wiring} by the programs of iproute2 and util-linux, for a Node without `node:ffi`: some 50 ms where that takes one. */
export class IpWiring implements Wiring {
  readonly #cableName: () => string;

  constructor({ cableName }: { readonly cableName: () => string }) {
    this.#cableName = cableName;
  }

  async createBridge({ name, mac, mtu, alias }: BridgeSpec): Promise<void> {
    await ip([
      `link add name ${name} address ${mac} mtu ${mtu} type bridge`,
      `link set dev ${name} alias "${alias}"`,
      `link set dev ${name} up`,
    ]);
  }

  async addAddress(device: string, address: string): Promise<void> {
    await ip([`address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`]);
  }

  async createNamespace(path: string): Promise<void> {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 });
    try {
      await runProgram('unshare', [`--net=${path}`, 'sh', '-ec', PREPARE]);
    } catch (error) {
      await this.removeNamespace(path);
      throw error;
    }
  }

  async removeNamespace(path: string): Promise<void> {
    await runProgram('umount', ['--lazy', path]).catch((error: ProgramError) => {
      if (!/not mounted|no mount point|not found/i.test(error.message)) throw error;
    });
    await rm(path, { force: true });
  }

  async plug(path: string, cables: readonly CableSpec[], routes: readonly InsideRoute[]): Promise<readonly string[]> {
    const ends = cables.map(() => this.#cableName());
    try {
      await ip(
        cables.flatMap(({ device, mac, mtu }, index) => [
          `link add name ${ends[index]} mtu ${mtu} type veth peer name ${device} address ${mac} mtu ${mtu} netns ${path}`,
        ]),
      );
      for (const [index, cable] of cables.entries()) await this.reattach(ends[index]!, cable);
      const v6 = cables.filter(({ addresses }) => addresses.some((address) => address.includes(':')));
      if (v6.length > 0) {
        const settings = ['lo', ...v6.map(({ device }) => device)].map((device) => `ipv6/conf/${device}/disable_ipv6`);
        const script = settings.map((setting) => `echo 0 > /proc/sys/net/${setting}`).join('\n');
        await runProgram('nsenter', [`--net=${path}`, '--', 'sh', '-e'], script);
      }
      const lines = cables.flatMap(({ device, addresses }) => [
        `link set dev ${device} up`,
        ...addresses.map((address) => `address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`),
      ]);
      await ip([...lines, ...routes.map(routeLine)], { namespace: path });
      return ends;
    } catch (error) {
      await removeLinks(ends);
      throw error;
    }
  }

  async addResolver(path: string): Promise<void> {
    // In this order: the setting would let loopback addresses in without the rules.
    const script = 'nft -f - && echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet';
    await runProgram('nsenter', [`--net=${path}`, '--', 'sh', '-ec', script], DOCKER_RESOLVER_RULES);
  }

  async reattach(
    hostDevice: string,
    { bridge, isolated, mtu }: Pick<CableSpec, 'bridge' | 'isolated' | 'mtu'>,
  ): Promise<void> {
    const flag = (on: boolean) => (on ? 'on' : 'off');
    await ip([
      `link set dev ${hostDevice} mtu ${mtu} master ${bridge}`,
      `link set dev ${hostDevice} type bridge_slave isolated ${flag(isolated)} hairpin ${flag(rulesSeeBridgedPackets())}`,
      `link set dev ${hostDevice} up`,
    ]);
  }

  async setRoutes(path: string, routes: readonly InsideRoute[]): Promise<void> {
    await ip(routes.map(routeLine), { namespace: path });
  }

  async removeLinks(names: readonly string[]): Promise<void> {
    await removeLinks(names);
  }

  /** By the `conntrack` program where it is installed. It ends with a failure when there was no such flow. */
  async forgetFlows(addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      const family = address.includes(':') ? 'ipv6' : 'ipv4';
      await runProgram('conntrack', ['-D', '-f', family, '-p', 'udp', '--reply-src', address]).catch(() => {});
    }
  }

  async counters(path: string): Promise<string> {
    return runProgram('nsenter', [`--net=${path}`, '--', 'cat', '/proc/net/dev']);
  }

  async close(): Promise<void> {}
}

/** As the other wiring prepares a namespace. */
const PREPARE = `
ip link set dev lo up
for setting in all/disable_ipv6=1 default/disable_ipv6=1 default/accept_ra=0; do
  file=/proc/sys/net/ipv6/conf/\${setting%=*}
  [ ! -e "$file" ] || echo "\${setting#*=}" > "$file"
done
`;

function routeLine({ to, via, device }: InsideRoute): string {
  // Of which family the default route is, `ip` tells by the router's address.
  return `route replace ${to ?? 'default'} via ${via} dev ${device} proto static onlink`;
}
