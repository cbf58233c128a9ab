import { type BindOptions, createSocket, type Socket as UdpSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { connect, createServer, isIP, isIPv6, type Server, type Socket } from 'node:net';
import { failure } from './names.ts';

const DNS_PORT = 53;
const TIMEOUT_MS = 3_000;
/** More at once are answered with a failure: a function must not use up our descriptors. */
const MOST_QUESTIONS = 256;
const MOST_CONNECTIONS = 64;
const MOST_ATTEMPTS = 20;
const IDLE_CONNECTION_MS = 10_000;

export interface DnsServerOptions {
  /** Bound sockets, or an address at which the system chooses a port. */
  readonly sockets: { readonly udp: number; readonly tcp: number } | { readonly address: string };
  /** The answer to a question from the address `from`; `undefined`: the outside must be asked. Throws on a broken one. */
  readonly answer: (query: Buffer, from: string, overTcp: boolean) => Buffer | undefined;
  /** Where to ask for everything else, `address` or `address:port` (IPv4); the host's own servers unless told. */
  readonly servers?: (from: string) => Promise<readonly string[]>;
}

/** The DNS that sandboxes and containers ask: the cloud's names are the gateway's; others are the host's to answer. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #questions = 0;

  private constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#udp = createSocket('udp4');
    this.#udp.on('message', (query, { address, port }) => {
      // Whoever writes packets of his own may say so; nobody could be answered there, and Node throws.
      if (port === 0) return;
      void this.#answer(query, address, false).then((answer) => {
        if (answer) this.#udp.send(answer, port, address, () => {});
      });
    });
    this.#tcp = createServer((socket) => this.#serve(socket));
    this.#tcp.maxConnections = MOST_CONNECTIONS;
  }

  /** Of both protocols. */
  get port(): number {
    return this.#udp.address().port;
  }

  static async start(options: DnsServerOptions): Promise<DnsServer> {
    const { sockets } = options;
    for (let attempt = 1; ; attempt++) {
      const server = new DnsServer(options);
      try {
        await server.#bind('udp' in sockets ? { fd: sockets.udp } : { address: sockets.address, port: 0 });
        await server.#listen('tcp' in sockets ? { fd: sockets.tcp } : { host: sockets.address, port: server.port });
        return server;
      } catch (error) {
        server.#udp.close();
        // The system chose a UDP port whose TCP twin somebody has.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || 'udp' in sockets) throw error;
        if (attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  async #bind(where: BindOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#udp.once('error', reject);
      this.#udp.bind(where, resolve);
    });
    this.#udp.on('error', () => {});
  }

  async #listen(where: { readonly fd?: number; readonly host?: string; readonly port?: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen(where, resolve);
    });
    this.#tcp.on('error', () => {});
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#udp.close(resolve));
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }

  /** `undefined` for what is not a question: it gets no answer. */
  async #answer(query: Buffer, from: string, stream: boolean): Promise<Buffer | undefined> {
    try {
      const own = this.#options.answer(query, from, stream);
      if (own) return own;
      if (this.#questions >= MOST_QUESTIONS) return failure(query);
      this.#questions++;
      try {
        for (const server of await (this.#options.servers ?? hostServers)(from)) {
          const answer = await (stream ? askByTcp(query, server) : askByUdp(query, server));
          if (answer) return answer;
        }
        return failure(query);
      } finally {
        this.#questions--;
      }
    } catch {
      return undefined;
    }
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    socket.setTimeout(IDLE_CONNECTION_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    const from = socket.remoteAddress ?? '';
    onFrames(socket, (query) => {
      void this.#answer(query, from, true).then((answer) => {
        if (answer && !socket.destroyed) socket.write(frame(answer));
      });
    });
  }
}

/** The name servers of the host's `/etc/resolv.conf`, read anew: they change with the network. */
export async function hostServers(): Promise<readonly string[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address]) => address!).filter((a) => isIP(a) !== 0);
}

function split(server: string): { readonly host: string; readonly port: number } {
  const [host = '', port = DNS_PORT] = isIPv6(server) ? [server] : server.split(':');
  return { host, port: Number(port) };
}

function askByUdp(query: Buffer, server: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
    const done = (answer?: Buffer) => {
      clearTimeout(timer);
      socket.removeAllListeners('message');
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(done, TIMEOUT_MS);
    socket.once('error', () => done());
    socket.on('message', (answer) => {
      // An answer to another question is not ours.
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) done(answer);
    });
    const { host, port } = split(server);
    // Told of a failure, too: an address that this machine has no way to, such as one of IPv6 where there is none.
    const connected = (error?: Error) => (error ? done() : socket.send(query));
    socket.connect(port, host, connected);
  });
}

function askByTcp(query: Buffer, server: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...split(server), timeout: TIMEOUT_MS });
    socket.once('close', () => resolve(undefined));
    socket.on('error', () => socket.destroy());
    socket.on('timeout', () => socket.destroy());
    socket.once('connect', () => socket.write(frame(query)));
    onFrames(socket, (answer) => {
      resolve(answer);
      socket.destroy();
    });
  });
}

/** A length of two bytes before each message (RFC 1035, section 4.2.2). */
function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function onFrames(socket: Socket, take: (message: Buffer) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      take(pending.subarray(2, end));
      pending = pending.subarray(end);
    }
  });
}
