import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';

/** Where a published port leads. Packets of most are sent there by rules; this is for those that rules cannot send. */
export interface PortTarget {
  readonly host: string;
  readonly port: number;
}

/** A port of this machine that is ours as long as this lives. */
export interface PortClaim {
  readonly port: number;
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 4096;
const CONNECT_TIMEOUT_MS = 30_000;
const MOST_UDP_CLIENTS = 1024;
/** As Docker's proxy forgets a client of UDP. */
const UDP_IDLE_MS = 90_000;

/**
 * Takes a port at an address, so that nobody else has it, and carries what arrives there to the target. Packets that a
 * rule has sent to the container already never arrive. Throws the system's error: `EADDRINUSE`, `EADDRNOTAVAIL`, …
 */
export function claimPort(
  protocol: 'tcp' | 'udp',
  host: string,
  port: number,
  target: () => PortTarget | undefined,
): Promise<PortClaim> {
  return protocol === 'tcp' ? claimTcp(host, port, target) : claimUdp(host, port, target);
}

async function claimTcp(host: string, port: number, target: () => PortTarget | undefined): Promise<PortClaim> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (outside) => {
    outside.on('error', () => outside.destroy());
    const to = target();
    if (!to) {
      outside.resetAndDestroy();
      return;
    }
    const inside = connect({ ...to, allowHalfOpen: true, timeout: CONNECT_TIMEOUT_MS });
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    carry(outside, inside);
  });
  server.maxConnections = MOST_CONNECTIONS;
  await listening(server, host, port);
  server.on('error', () => {});
  return {
    port: (server.address() as { readonly port: number }).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: isIPv6(host), exclusive: true }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Joins two sockets; when one breaks, so does the other. */
function carry(outside: Socket, inside: Socket): void {
  inside.once('timeout', () => inside.destroy());
  inside.once('connect', () => {
    inside.setTimeout(0);
    inside.setNoDelay(true);
    outside.setNoDelay(true);
    outside.pipe(inside);
    inside.pipe(outside);
  });
  inside.on('error', () => inside.destroy());
  inside.once('close', (failed) => {
    if (failed || !outside.writableEnded) outside.resetAndDestroy();
  });
  outside.once('close', (failed) => {
    if (failed || !inside.writableEnded) inside.destroy();
  });
}

async function claimUdp(host: string, port: number, target: () => PortTarget | undefined): Promise<PortClaim> {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', ipv6Only: isIPv6(host) });
  const clients = new Map<string, UdpClient>();
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeListener('error', reject);
      resolve();
    });
  });
  socket.on('error', () => {});
  socket.on('message', (message, { address, port: from }) => {
    // Whoever writes packets of his own may say so; nobody could be answered there, and Node throws.
    if (from === 0) return;
    const key = `${address} ${from}`;
    const to = target();
    let client = clients.get(key);
    if (client && !client.leadsTo(to)) {
      client.close();
      client = undefined;
    }
    if (!client) {
      if (!to || clients.size >= MOST_UDP_CLIENTS) return;
      client = new UdpClient(
        to,
        (answer) => socket.send(answer, from, address, () => {}),
        () => clients.delete(key),
      );
      clients.set(key, client);
    }
    client.send(message);
  });
  return {
    port: socket.address().port,
    close: () =>
      new Promise((resolve) => {
        for (const client of clients.values()) client.close();
        socket.close(() => resolve());
      }),
  };
}

/** One client of a UDP port, as the container sees it: a socket of its own. */
class UdpClient {
  readonly #socket: UdpSocket;
  readonly #target: PortTarget;
  readonly #idle: NodeJS.Timeout;
  readonly #ended: () => void;
  #closed = false;

  constructor(target: PortTarget, answered: (answer: Buffer) => void, ended: () => void) {
    this.#target = target;
    this.#ended = ended;
    this.#socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
    this.#socket.on('error', () => this.close());
    this.#socket.on('message', (answer, { address, port }) => {
      if (address !== target.host || port !== target.port) return;
      this.#idle.refresh();
      answered(answer);
    });
    // Real time: how long packets of a real conversation may be apart.
    this.#idle = setTimeout(() => this.close(), UDP_IDLE_MS);
    this.#idle.unref();
  }

  leadsTo(target: PortTarget | undefined): boolean {
    return target?.host === this.#target.host && target.port === this.#target.port;
  }

  send(message: Buffer): void {
    this.#idle.refresh();
    this.#socket.send(message, this.#target.port, this.#target.host, () => {});
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#socket.close();
    this.#ended();
  }
}
