import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { GATEWAY_ADDRESS, sandboxAddress } from './addresses.ts';
import { addressBytes } from './cidr.ts';
import { CLONE_NEWNET, type Kernel } from './kernel.ts';
import { addAddress, addRoute, createVeth, Netlink, setUp } from './netlink.ts';

const LOOPBACK = 1;
const FIRST_INDEX = 16;
const SANDBOX_INDEX = 2;

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_TRANSPARENT = 19;
const BACKLOG = 511;
const MOST_ROUNDS = 500;

/**
 * A network namespace between the sandboxes and this process. Each sandbox has a cable to it and to nothing else; it
 * forwards no packet. This process has sockets in it, so connections of sandboxes arrive here without passing the
 * host's own network, and the host's interfaces, routes and firewall are never touched. It lives by our descriptors:
 * after a crash nothing of it is left.
 */
export class Hub {
  readonly #kernel: Kernel;
  readonly #namespace: number;
  readonly #netlink: Netlink;
  #slot = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    let netlink: Netlink | undefined;
    this.#namespace = kernel.create(CLONE_NEWNET, () => {
      // A new namespace starts with the host's settings, and a host with containers forwards.
      setting('ipv4/conf/all/forwarding', 0);
      setting('ipv4/conf/default/forwarding', 0);
      setting('ipv4/conf/all/rp_filter', 1);
      setting('ipv4/conf/default/rp_filter', 1);
      setting('ipv6/conf/all/disable_ipv6', 1);
      setting('ipv6/conf/default/disable_ipv6', 1);
      netlink = new Netlink(kernel);
    });
    this.#netlink = netlink!;
    this.#netlink.run(setUp(LOOPBACK), addAddress(LOOPBACK, GATEWAY_ADDRESS));
  }

  /** Lays a cable to the network namespace of process `pid`; answers that end's address once it works. About 1 ms. */
  async connect(pid: number): Promise<string> {
    const slot = this.#slot++;
    const address = sandboxAddress(slot);
    const index = FIRST_INDEX + slot;
    const namespace = openSync(`/proc/${pid}/ns/net`, 'r');
    try {
      this.#netlink.run(
        createVeth({
          index,
          name: `s${slot}`,
          peerIndex: SANDBOX_INDEX,
          peerName: 'eth0',
          peerNamespace: namespace,
        }),
        addRoute({ to: address, device: index }),
      );
      const inside = this.#kernel.within(namespace, CLONE_NEWNET, () => new Netlink(this.#kernel));
      try {
        inside.run(
          setUp(SANDBOX_INDEX),
          addAddress(SANDBOX_INDEX, address),
          addRoute({ to: GATEWAY_ADDRESS, device: SANDBOX_INDEX }),
          addRoute({ to: undefined, device: SANDBOX_INDEX, via: GATEWAY_ADDRESS }),
        );
        // A packet sent before would be lost, and sent again only a second later.
        for (let round = 0; round < MOST_ROUNDS; round++) {
          if (this.#netlink.passes(index) && inside.passes(SANDBOX_INDEX)) break;
          await setTimeout(1);
        }
      } finally {
        inside.close();
      }
    } finally {
      closeSync(namespace);
    }
    return address;
  }

  /** A listening TCP socket at the gateway's address. */
  listenTcp(port: number): number {
    return this.#socket(SOCK_STREAM, GATEWAY_ADDRESS, port, false);
  }

  bindUdp(port: number): number {
    return this.#socket(SOCK_DGRAM, GATEWAY_ADDRESS, port, false);
  }

  /**
   * A listening TCP socket that gets every connection to the outside; its own address is then the one that the
   * sandbox meant to reach. Needs `nft`; throws what it complains of.
   */
  async listenEverywhere(port: number): Promise<number> {
    await this.#nft(
      [
        'table ip kobune {',
        ' chain arrive {',
        '  type filter hook prerouting priority mangle; policy accept;',
        `  meta l4proto tcp ip daddr != 169.254.0.0/16 tproxy to :${port} accept`,
        ' }',
        ' chain forward { type filter hook forward priority filter; policy drop; }',
        '}',
      ].join('\n'),
    );
    // Every address is ours: a packet to the outside is delivered here instead of being forwarded.
    this.#netlink.run(addRoute({ to: undefined, device: LOOPBACK, local: true }));
    return this.#socket(SOCK_STREAM, '0.0.0.0', port, true);
  }

  close(): void {
    this.#netlink.close();
    closeSync(this.#namespace);
  }

  #socket(type: number, address: string, port: number, transparent: boolean): number {
    const kernel = this.#kernel;
    return kernel.within(this.#namespace, CLONE_NEWNET, () => {
      const fd = kernel.call('socket', AF_INET, type | NONBLOCK_CLOEXEC, 0);
      try {
        const on = Buffer.from([1, 0, 0, 0]);
        if (type === SOCK_STREAM) kernel.call('setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, on, on.length);
        if (transparent) kernel.call('setsockopt', fd, IPPROTO_IP, IP_TRANSPARENT, on, on.length);
        const name = Buffer.alloc(16);
        name.writeUInt16LE(AF_INET, 0);
        name.writeUInt16BE(port, 2);
        addressBytes(address).copy(name, 4);
        kernel.call('bind', fd, name, name.length);
        if (type === SOCK_STREAM) kernel.call('listen', fd, BACKLOG);
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    });
  }

  async #nft(script: string): Promise<void> {
    const nft = this.#kernel.within(this.#namespace, CLONE_NEWNET, () =>
      spawn('nft', ['-f', '-'], {
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      }),
    );
    let complaint = '';
    nft.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk;
    });
    nft.stdin.on('error', () => {});
    nft.stdin.end(script);
    const [code] = await once(nft, 'close');
    if (code !== 0) throw new Error(`nft: ${complaint.trim() || `ended with ${code}`}`);
  }
}

function setting(name: string, value: number): void {
  writeFileSync(`/proc/sys/net/${name}`, String(value));
}
