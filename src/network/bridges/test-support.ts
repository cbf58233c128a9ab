import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decode, encode, type Packet, type Question } from 'dns-packet';
import type { Logger } from '../../base/logger.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { openMemoryStore, type Store } from '../../store/index.ts';
import { addressBytes } from '../cidr.ts';
import type { Connected, ContainerNetworks, EndpointSpec, PortRequest } from '../container-networks.ts';
import { CLONE_NEWNET, type Kernel, openKernel } from '../kernel.ts';
import { addAddress, addRoute, Netlink, setUp } from '../netlink.ts';
import { type ContainerNetworksOptions, createContainerNetworks } from './bridge-networks.ts';
import { createCable } from './link-requests.ts';
import { runProgram } from './program.ts';

const run = promisify(execFile);
export const random = createSystemRandom();

/** A log of which only the warnings are kept. */
export function keepingLogger(): Logger & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const keep = (message: string) => void warnings.push(message);
  const logger = { warnings, debug() {}, info() {}, warn: keep, error: keep, child: () => logger };
  return logger;
}

/** Why container networks cannot be tested here, or `false`. */
export async function whyNot(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'container networks need root';
  if (!openKernel()) return 'container networks are tested with Linux and Node 26.1 or newer (node:ffi)';
  for (const program of ['nft', 'ip', 'busybox', 'nsenter']) {
    const found = await runProgram('sh', ['-c', `command -v ${program}`]).catch(() => undefined);
    if (found === undefined) return `${program} is not installed`;
  }
  return false;
}

/** Both ways to ask the kernel for things. */
export const WIRINGS = [
  { by: 'system calls', options: {} },
  { by: 'programs', options: { kernel: 'none' } },
] as const satisfies readonly { readonly by: string; readonly options: Partial<ContainerNetworksOptions> }[];

export interface TestNetworks extends AsyncDisposable {
  readonly networks: ContainerNetworks;
  readonly options: ContainerNetworksOptions;
  readonly store: Store;
  readonly warnings: readonly string[];
}

/** Started networks of an instance of their own. What a gateway would answer is `gateway NAME`, with the host asked for. */
export async function startNetworks(changes: Partial<ContainerNetworksOptions> = {}): Promise<TestNetworks> {
  const logger = keepingLogger();
  const store = changes.store ?? (await openMemoryStore({}));
  const runDirectory = changes.runDirectory ?? (await mkdtemp(join(tmpdir(), 'kobune-networks-')));
  const options: ContainerNetworksOptions = {
    store,
    random,
    logger,
    instance: random.hex(8),
    names: ['cloud.test'],
    openGateway: openTestGateway,
    nameServers: async () => [],
    runDirectory,
    ...changes,
  };
  const networks = createContainerNetworks(options);
  await networks.start();
  return {
    networks,
    options,
    store,
    warnings: logger.warnings,
    async [Symbol.asyncDispose]() {
      await networks.close();
      if (!changes.store) await store.close();
      if (!changes.runDirectory) await rm(runDirectory, { recursive: true, force: true });
    },
  };
}

async function openTestGateway({ host }: { readonly host: string }) {
  const server = createHttpServer((request, response) => response.end(`gateway ${request.headers.host}`));
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const AF_INET = 2;
const AF_INET6 = 10;
const STREAM = 1;
const DATAGRAM = 2;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;

/** A network namespace with sockets of this process in it. */
export class Place {
  readonly name: string;
  /** A file that is the namespace. */
  readonly path: string;
  readonly #kernel: Kernel = openKernel()!;
  readonly #closing: (() => void)[] = [];

  constructor(name: string, path: string) {
    this.name = name;
    this.path = path;
  }

  /** Answers each connection with its own name and the address that it came from. */
  async serveTcp(port: number, host = '0.0.0.0'): Promise<void> {
    const server: Server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(`${this.name} ${socket.remoteAddress}`);
    });
    server.listen({ fd: this.#socket(STREAM, host, port) });
    await once(server, 'listening');
    this.#closing.push(() => server.close());
  }

  async serveUdp(port: number, host = '0.0.0.0'): Promise<void> {
    const socket = await this.udp(host, port);
    socket.on('message', (message, { address, port: from }) => socket.send(`${this.name} ${message}`, from, address));
  }

  /** `kept`: closed with the others. */
  async udp(host: string, port: number, kept = true): Promise<UdpSocket> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind({ fd: this.#socket(DATAGRAM, host, port) }, resolve));
    if (kept) this.#closing.push(() => socket.close());
    return socket;
  }

  /** What a connection from inside gives: what is read first, or `refused`, `silence`, `unreachable`. */
  dial(host: string, port: number): Promise<string> {
    return dialFrom(['nsenter', `--net=${this.path}`, '--'], host, port);
  }

  /** Runs a program inside. */
  async run(...command: readonly string[]): Promise<string> {
    const { stdout } = await run('nsenter', [`--net=${this.path}`, '--', ...command]);
    return stdout;
  }

  closeSockets(): void {
    for (const close of this.#closing.splice(0)) close();
  }

  #socket(type: number, host: string, port: number): number {
    const namespace = openSync(this.path, 'r');
    try {
      return this.#kernel.within(namespace, CLONE_NEWNET, () => {
        const v6 = host.includes(':');
        const fd = this.#kernel.call('socket', v6 ? AF_INET6 : AF_INET, type | NONBLOCK_CLOEXEC, 0);
        const name = Buffer.alloc(v6 ? 28 : 16);
        name.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
        name.writeUInt16BE(port, 2);
        addressBytes(host).copy(name, v6 ? 8 : 4);
        this.#kernel.call('bind', fd, name, name.length);
        if (type === STREAM) this.#kernel.call('listen', fd, 16);
        return fd;
      });
    } finally {
      closeSync(namespace);
    }
  }
}

/** A container as far as its network knows. */
export class Guest extends Place implements AsyncDisposable {
  readonly id: string;
  readonly connected: Connected;
  readonly #networks: ContainerNetworks;

  private constructor(networks: ContainerNetworks, id: string, name: string, path: string, connected: Connected) {
    super(name, path);
    this.#networks = networks;
    this.id = id;
    this.connected = connected;
  }

  static async join(
    { networks }: { readonly networks: ContainerNetworks },
    name: string,
    endpoints: readonly (string | EndpointSpec)[],
    ports: readonly PortRequest[] = [],
    id = random.hex(64),
    nameServers?: readonly string[],
  ): Promise<Guest> {
    const namespace = await networks.createNamespace(id);
    try {
      const connected = await networks.connect(
        { id, name, hostname: id.slice(0, 12), ...(nameServers ? { nameServers } : {}) },
        namespace,
        endpoints.map((endpoint) => (typeof endpoint === 'string' ? { network: endpoint } : endpoint)),
        ports,
      );
      return new Guest(networks, id, name, namespace.path, connected);
    } catch (error) {
      await networks.release(id);
      throw error;
    }
  }

  /** One of a former run. */
  static async adopt({ networks }: { readonly networks: ContainerNetworks }, id: string, name: string, path: string) {
    const connected = await networks.adopt({ id, name, hostname: id.slice(0, 12) });
    if (!connected) throw new Error(`${name} is not connected any more`);
    return new Guest(networks, id, name, path, connected);
  }

  get identity() {
    return { id: this.id, name: this.name, hostname: this.id.slice(0, 12) };
  }

  /** Its address on a network; on its first one unless told. */
  address(network?: string): string {
    const { endpoints } = this.connected;
    return endpoints.find(({ networkName }) => network === undefined || networkName === network)!.ipv4!;
  }

  /** Asks the name server; the whole answer. */
  async ask(name: string, type: Question['type'] = 'A', changes: Partial<Packet> = {}): Promise<Packet> {
    const socket = await this.udp('0.0.0.0', 0, false);
    const query = encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type, name }], ...changes });
    try {
      socket.send(query, 53, this.#networks.nameServer(this.connected.endpoints));
      const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
      return decode(answer);
    } finally {
      socket.close();
    }
  }

  async askOverTcp(name: string, server = this.#networks.nameServer(this.connected.endpoints)): Promise<Packet> {
    const query = encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type: 'A', name }] });
    const child = spawn('nsenter', [`--net=${this.path}`, '--', 'busybox', 'nc', server, '53']);
    child.stdin.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 0xff]), query]));
    let answer = Buffer.alloc(0);
    for await (const chunk of child.stdout) {
      answer = Buffer.concat([answer, chunk as Buffer]);
      if (answer.length >= 2 && answer.length >= 2 + answer.readUInt16BE(0)) break;
    }
    child.kill();
    return decode(answer.subarray(2));
  }

  /** Names or addresses that a name leads to, sorted; `NXDOMAIN` for a name that there is not. */
  async lookUp(name: string, type: 'A' | 'AAAA' | 'PTR' = 'A'): Promise<readonly string[] | string> {
    const answer = await this.ask(name, type);
    const code = (answer.flags ?? 0) & 15;
    if (code !== 0) return code === 3 ? 'NXDOMAIN' : `code ${code}`;
    return (answer.answers ?? []).map((record) => String('data' in record ? record.data : '')).sort();
  }

  async release(): Promise<void> {
    this.closeSockets();
    await this.#networks.release(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/**
 * Another machine, as far as this one's network knows: at the other end of a cable, in a subnet for tests of networks
 * (RFC 2544), with this machine as its way to everywhere.
 */
export class Neighbour extends Place implements Disposable {
  readonly address: string;
  /** This machine's own address on that cable. */
  readonly hostAddress: string;
  readonly #namespace: number;

  private constructor(namespace: number, hostAddress: string, address: string) {
    super('neighbour', `/proc/${process.pid}/fd/${namespace}`);
    this.#namespace = namespace;
    this.hostAddress = hostAddress;
    this.address = address;
  }

  static create(): Neighbour {
    const kernel = openKernel()!;
    const [third, fourth] = random.bytes(2) as unknown as [number, number];
    const subnet = `198.18.${third}.${fourth & 0xfc}`;
    const hostAddress = subnet.replace(/\d+$/, String((fourth & 0xfc) + 1));
    const address = subnet.replace(/\d+$/, String((fourth & 0xfc) + 2));
    let inside: Netlink | undefined;
    const namespace = kernel.create(CLONE_NEWNET, () => {
      inside = new Netlink(kernel);
    });
    const host = new Netlink(kernel);
    const name = `kt${random.hex(8)}`;
    host.run(createCable({ name, peerName: 'eth0', peerNamespace: namespace }));
    const [here, there] = [host.indexOf(name)!, inside!.indexOf('eth0')!];
    host.run(setUp(here), addAddress(here, hostAddress, 30));
    inside!.run(
      setUp(1),
      setUp(there),
      addAddress(there, address, 30),
      addRoute({ to: undefined, device: there, via: hostAddress }),
    );
    host.close();
    inside!.close();
    return new Neighbour(namespace, hostAddress, address);
  }

  [Symbol.dispose](): void {
    this.closeSockets();
    closeSync(this.#namespace);
  }
}

/** The same from this machine itself. */
export function dial(host: string, port: number): Promise<string> {
  return dialFrom([], host, port);
}

const SILENCE_SECONDS = '1';

async function dialFrom(prefix: readonly string[], host: string, port: number): Promise<string> {
  const [program, ...args] = [...prefix, 'busybox', 'nc', '-w', SILENCE_SECONDS, host, String(port)];
  const child: ChildProcess = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr!.on('data', (chunk: Buffer) => {
    complaint += chunk;
  });
  await once(child, 'close');
  if (output !== '') return output;
  if (/refused/i.test(complaint)) return 'refused';
  if (/unreachable/i.test(complaint)) return 'unreachable';
  if (/timed out/i.test(complaint)) return 'silence';
  return complaint.trim() || 'nothing';
}

/** One question over UDP from this machine's own socket. */
export async function sayTo(host: string, port: number, message: string): Promise<string> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.send(message, port, host);
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(3_000) });
    return String(answer);
  } finally {
    socket.close();
  }
}
