import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { decode, encode } from 'dns-packet';
import type { Logger } from '../base/logger.ts';
import { isOutside, sandboxAddress } from './addresses.ts';
import { createSandboxNetwork, type SandboxNetwork } from './index.ts';

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

const trial = await createSandboxNetwork({ logger: SILENT });
const skip = typeof trial === 'string' ? trial : false;
if (typeof trial !== 'string') await trial.close();

/** A process in a network namespace of its own that waits for a line and then runs `script`. */
class Guest implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly address: string;

  private constructor(process: ChildProcess, address: string) {
    this.#process = process;
    this.address = address;
  }

  static async join(network: SandboxNetwork): Promise<Guest> {
    const node = `
      let script = ''; process.stdin.on('data', (chunk) => { script += chunk });
      process.stdin.on('end', () => eval('(async () => {' + script + '})()').then(
        (value) => process.stdout.write(JSON.stringify(value ?? null)), (error) => { console.error(error); process.exit(1) }));
      process.stderr.write('up');`;
    const start = ['ip link set lo up && exec "$0" --no-warnings -e "$1"', process.execPath, node];
    const child = spawn('unshare', ['--net', 'sh', '-c', ...start], { stdio: 'pipe' });
    await once(child.stderr, 'data');
    const { address } = await network.attach(child.pid!);
    return new Guest(child, address);
  }

  async run<T>(script: string): Promise<T> {
    this.#process.stdin!.end(script);
    const [output, complaint] = await Promise.all([text(this.#process.stdout!), text(this.#process.stderr!)]);
    if (output === '') throw new Error(complaint);
    return JSON.parse(output) as T;
  }

  /** Runs a script that goes on for ever, up to when it has written something to its error output. */
  async serve(script: string): Promise<void> {
    this.#process.stdin!.end(`${script}; await new Promise(() => {})`);
    await once(this.#process.stderr!, 'data');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

/** Connects to each `host:port` and tells what came of it: what was read first, or the error. */
const dial = (targets: readonly string[]) => `
  const net = require('net');
  const dial = (target) => new Promise((resolve) => {
    const [host, port] = target.split(':');
    const socket = net.connect({ host, port: Number(port) });
    const timer = setTimeout(() => { socket.destroy(); resolve('silence') }, 700);
    const done = (answer) => { clearTimeout(timer); socket.destroy(); resolve(answer) };
    socket.once('data', (data) => done(String(data)));
    socket.once('error', (error) => done(error.code));
    socket.once('end', () => done('end'));
  });
  const targets = ${JSON.stringify(targets)};
  return Object.fromEntries(await Promise.all(targets.map(async (target) => [target, await dial(target)])));`;

describe('sandbox network', { skip }, () => {
  let network: SandboxNetwork;
  let upstream: ReturnType<typeof createSocket>;
  const gateways = new Map<number, ReturnType<typeof createHttpServer>>();

  before(async () => {
    upstream = createSocket('udp4');
    network = (await createSandboxNetwork({ logger: SILENT, names: ['cloud.test'] })) as SandboxNetwork;
    for (const { port, fd } of network.listeners) {
      const server = createHttpServer((request, response) => {
        response.end(`${request.headers.host} at ${port} from ${request.socket.remoteAddress}`);
      });
      server.listen({ fd });
      gateways.set(port, server);
    }
  });
  after(async () => {
    for (const server of gateways.values()) {
      server.closeAllConnections();
      server.close();
    }
    upstream.close();
    await network.close();
  });

  it("has the gateway at the cloud's names, on the ports of its URLs and on 4566", async () => {
    await using guest = await Guest.join(network);
    const answers = await guest.run<string[]>(`
      const dns = require('dns'); dns.setServers(['${network.gatewayAddress}']);
      const names = ['s3.eu-central-1.amazonaws.com', 'bucket.s3.amazonaws.com', 'abc.lambda-url.us-east-1.on.aws', 'api.cloud.test'];
      const found = (await Promise.all(names.map((name) => dns.promises.resolve4(name)))).flat();
      const get = (port) => new Promise((resolve, reject) => require('http').get(
        { host: found[0], port, headers: { host: 'sqs' } },
        async (response) => resolve(Buffer.concat(await response.toArray()).toString())).on('error', reject));
      return [...new Set(found), await get(80), await get(443), await get(4566)];`);
    assert.deepEqual(answers, [
      network.gatewayAddress,
      `sqs at 80 from ${guest.address}`,
      `sqs at 443 from ${guest.address}`,
      `sqs at 4566 from ${guest.address}`,
    ]);
  });

  it("says that the cloud's names have no IPv6 address, not that there is no such name", async () => {
    await using guest = await Guest.join(network);
    const code = await guest.run(`
      const dns = require('dns'); dns.setServers(['${network.gatewayAddress}']);
      return dns.promises.resolve6('s3.amazonaws.com').catch((error) => error.code);`);
    assert.equal(code, 'ENODATA');
  });

  it("reaches none of the host's own services", async () => {
    const listening = await Promise.all(
      hostAddresses().map(async (address) => {
        const server = createServer((socket) => socket.end('host'));
        server.listen(0, address);
        await once(server, 'listening');
        return { server, target: `${address}:${(server.address() as AddressInfo).port}` };
      }),
    );
    try {
      await using guest = await Guest.join(network);
      const targets = listening.map(({ target }) => target);
      assert.ok(targets.length > 0);
      const answers = Object.values(await guest.run<Record<string, string>>(dial(targets)));
      for (const answer of answers) assert.match(answer, /^(ECONNREFUSED|ECONNRESET|ENETUNREACH)$/);
    } finally {
      for (const { server } of listening) server.close();
    }
  });

  it('carries connections to the outside, both ways, with their ends', async (context) => {
    const address = hostAddresses().find((own) => !own.startsWith('127.'));
    if (!address) return context.skip('this machine has no address but its loopback');
    if (network.missing.length > 0) return context.skip(network.missing.join('; '));
    // This machine stands in for the outside, which tests must not need.
    const own = await createSandboxNetwork({ logger: SILENT, isOutside: (asked) => asked === address });
    assert.ok(typeof own !== 'string');
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.resume().once('end', () => socket.end(`${socket.bytesRead} bytes`));
    });
    server.listen(0, address);
    await once(server, 'listening');
    try {
      await using guest = await Guest.join(own);
      const answer = await guest.run(`
        const socket = require('net').connect(${(server.address() as AddressInfo).port}, '${address}');
        socket.end(Buffer.alloc(3_000_000));
        return Buffer.concat(await socket.toArray()).toString();`);
      assert.equal(answer, '3000000 bytes');
    } finally {
      server.close();
      await own.close();
    }
  });

  it('ends with its connections, also those that nobody has closed', async (context) => {
    const address = hostAddresses().find((own) => !own.startsWith('127.'));
    if (!address || network.missing.length > 0) return context.skip('nothing to connect to');
    const own = await createSandboxNetwork({ logger: SILENT, isOutside: () => true });
    assert.ok(typeof own !== 'string');
    const server = createServer();
    server.listen(0, address);
    await once(server, 'listening');
    const connected = once(server, 'connection');
    await using guest = await Guest.join(own);
    await guest.serve(`require('net').connect(${(server.address() as AddressInfo).port}, '${address}',
      () => process.stderr.write('connected'))`);
    const [socket] = await connected;
    socket.on('error', () => {});
    const ended = once(socket.resume(), 'close');
    await own.close();
    await ended;
    server.close();
  });

  it('reaches no other sandbox', async () => {
    await using other = await Guest.join(network);
    await using guest = await Guest.join(network);
    await other.serve(`require('net').createServer((socket) => socket.end('other'))
      .listen(8080, '0.0.0.0', () => process.stderr.write('listening'))`);
    assert.deepEqual(await guest.run(dial([`${other.address}:8080`])), { [`${other.address}:8080`]: 'silence' });
  });

  it('reaches neither instance metadata nor other ports of the gateway', async () => {
    await using guest = await Guest.join(network);
    const targets = ['169.254.169.254:80', `${network.gatewayAddress}:22`, `${network.gatewayAddress}:1`];
    const answers = await guest.run<Record<string, string>>(dial(targets));
    for (const [target, answer] of Object.entries(answers)) {
      assert.match(answer, /^(ECONNREFUSED|ECONNRESET)$/, target);
    }
  });

  it('asks the name servers that it is given for every other name', async () => {
    const asked: string[] = [];
    upstream.on('message', (query, peer) => {
      const packet = decode(query);
      asked.push(packet.questions![0]!.name);
      const answers = [{ type: 'A' as const, name: packet.questions![0]!.name, ttl: 1, data: '203.0.113.7' }];
      upstream.send(encode({ ...packet, type: 'response', answers }), peer.port, peer.address);
    });
    upstream.bind(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port } = upstream.address();
    const own = await createSandboxNetwork({ logger: SILENT, nameServers: async () => [`127.0.0.1:${port}`] });
    assert.ok(typeof own !== 'string');
    try {
      await using guest = await Guest.join(own);
      const answer = await guest.run(`
        const dns = require('dns'); dns.setServers(['${own.gatewayAddress}']);
        return dns.promises.resolve4('registry.example.org');`);
      assert.deepEqual(answer, ['203.0.113.7']);
      assert.deepEqual(asked, ['registry.example.org']);
    } finally {
      await own.close();
    }
  });

  it("leaves the host's interfaces, routes and addresses as they were", async () => {
    // In a host of its own: on this one, other networks come and go.
    const program = join(import.meta.dirname, 'testing/host-network-program.ts');
    const host =
      'ip link set lo up; ip link add v0 type veth peer v1; ip addr add 10.9.0.1/24 dev v0; ip link set v0 up';
    const { stdout } = await promisify(execFile)('unshare', [
      ...['--net', 'sh', '-c', `${host}; exec "$0" --no-warnings "$1"`, process.execPath, program],
    ]);
    const { before, connected, after } = JSON.parse(stdout);
    assert.deepEqual(before.interfaces.toSorted(), ['lo', 'v0', 'v1']);
    assert.match(before.addresses, /10\.9\.0\.1/);
    assert.deepEqual(connected, before);
    assert.deepEqual(after, before);
  });

  it('does not meet another network of the same machine', async () => {
    const other = await createSandboxNetwork({ logger: SILENT });
    assert.ok(typeof other !== 'string');
    try {
      await using here = await Guest.join(network);
      await using there = await Guest.join(other);
      const target = `${other.gatewayAddress}:4566`;
      const request = `
        const socket = require('net').connect(4566, '${network.gatewayAddress}');
        socket.end('GET / HTTP/1.0\\r\\nhost: x\\r\\n\\r\\n');
        return Promise.race([socket.setEncoding('utf8').toArray().then((all) => all.join('')), new Promise((r) => setTimeout(r, 700, 'silence'))]).finally(() => socket.destroy());`;
      assert.match(await here.run<string>(request), /x at 4566/);
      // The other one's gateway accepts nothing: no one has taken its listening sockets.
      assert.equal(await there.run(request), 'silence', target);
    } finally {
      await other.close();
    }
  });
});

describe('sandbox addresses', () => {
  it('differ from sandbox to sandbox and from the gateway', () => {
    const all = Array.from({ length: 32 * 1024 }, (_, slot) => sandboxAddress(slot));
    assert.equal(new Set(all).size, all.length);
    assert.deepEqual([all[0], all.at(-1)], ['169.254.128.0', '169.254.255.255']);
  });

  it("tell the outside from this machine's own", () => {
    const inside = ['127.0.0.1', '127.8.8.8', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255', '::1', 'x'];
    assert.deepEqual([...inside, ...hostAddresses()].filter(isOutside), []);
    assert.deepEqual(['93.184.216.34', '10.255.0.1'].filter(isOutside), ['93.184.216.34', '10.255.0.1']);
  });
});

/** Bridges of containers (`kb…`) are left out: those of other tests come and go. */
function hostAddresses(): string[] {
  return Object.entries(networkInterfaces())
    .filter(([name]) => !name.startsWith('kb'))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address);
}
