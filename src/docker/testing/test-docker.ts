/** For tests: the Docker API over real rooms in a scratch directory, with the image `busybox`, and Docker's own client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { createLogger, silentLogger } from '../../base/json-logger.ts';
import type { Logger } from '../../base/logger.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { type ContainerEngine, createContainerEngine, createStepRunner } from '../../containers/index.ts';
import { noContainersReason } from '../../containers/testing/test-engine.ts';
import { type Builder, createBuilder, type Image } from '../../images/index.ts';
import { addBusybox, openTestImages, type TestImages } from '../../images/test-support.ts';
import { type ContainerNetworks, createContainerNetworks } from '../../network/index.ts';
import { createDockerApi, type OpenListener } from '../index.ts';

/** Docker's clients that are tried: the present one, and the one that Debian has. */
export const DOCKER_28 = '/usr/local/bin/docker';
export const DOCKER_20 = '/usr/bin/docker';

/** Why a client cannot be tried here, in `doctor`'s words; `false` when it can. */
export function noDockerReason(program: string): string | false {
  return noContainersReason || (existsSync(program) ? false : `${program} is missing: apt-get install docker.io`);
}

/** The size of the terminal at which a client is run. */
export const TERMINAL = { rows: 33, columns: 77 } as const;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly client?: string;
}

export class TestDocker implements AsyncDisposable {
  readonly at: TestImages;
  readonly engine: ContainerEngine;
  readonly networks: ContainerNetworks;
  readonly builder: Builder;
  readonly busybox: Image;
  readonly socket: string;
  readonly listener: OpenListener;
  readonly client: string;
  /** A client that hangs must not keep the test. */
  readonly #running = new Set<ChildProcess>();

  private constructor(
    parts: Omit<
      TestDocker,
      'directory' | 'environment' | 'run' | 'ok' | 'spawn' | 'terminal' | typeof Symbol.asyncDispose
    >,
  ) {
    this.at = parts.at;
    this.engine = parts.engine;
    this.networks = parts.networks;
    this.builder = parts.builder;
    this.busybox = parts.busybox;
    this.socket = parts.socket;
    this.listener = parts.listener;
    this.client = parts.client;
  }

  static async open(client = DOCKER_28): Promise<TestDocker> {
    const at = await openTestImages();
    const busybox = await addBusybox(at);
    const random = createSystemRandom();
    const clock = createSystemClock();
    const instance = random.hex(8);
    const logger = testLogger();
    const common = { store: at.store, random, logger, instance, ephemeral: true };
    const openGateway = async () => ({ port: 1, close: async () => {} });
    const networks = createContainerNetworks({ ...common, names: [], openGateway });
    await networks.start();
    const directory = join(at.directory, 'docker');
    const engine = createContainerEngine({ ...common, images: at.images, networks, clock, directory });
    await engine.start();
    const runner = createStepRunner({ networks, random, logger, directory: join(at.directory, 'steps'), instance });
    const builder = createBuilder({
      images: at.images,
      content: at.content,
      store: at.store,
      runner,
      random,
      logger,
      directory: join(at.directory, 'images'),
      clock,
    });
    const api = createDockerApi({
      engine: async () => engine,
      images: async () => at.images,
      networks: async () => networks,
      builder: async () => builder,
      version: '0.1.0',
      clock,
      random,
      logger,
      hostname: 'test-host',
      instance,
      directory,
    });
    const socket = join(at.directory, 'docker.sock');
    const listener = await api.listen(socket);
    return new TestDocker({ at, engine, networks, builder, busybox, socket, listener, client });
  }

  /** Scratch: goes with everything else. */
  get directory(): string {
    return this.at.directory;
  }

  get environment(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.directory,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: join(this.directory, 'client'),
    };
  }

  /** Runs the client to its end. */
  async run(words: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const child = this.spawn(words, options);
    const [stdout, stderr, status] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      }),
      feed(child.stdin, options.input),
    ]);
    return { status, stdout, stderr };
  }

  /** The same; throws unless it succeeds. Answers what it printed, without the last line's end. */
  async ok(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(words);
    if (status !== 0) throw new Error(`docker ${words.join(' ')} ended with ${status}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, '');
  }

  spawn(words: readonly string[], options: RunOptions = {}) {
    const child = spawn(options.client ?? this.client, words, {
      env: { ...this.environment, ...options.environment },
      cwd: options.directory ?? this.directory,
      stdio: 'pipe',
    });
    this.#running.add(child);
    child.once('close', () => this.#running.delete(child));
    return child;
  }

  /** Runs the client at a terminal; what it prints has the terminal's line ends. */
  async terminal(words: readonly string[], input: string): Promise<Ran> {
    const command = [this.client, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const sized = `stty rows ${TERMINAL.rows} cols ${TERMINAL.columns}; ${command}`;
    return this.run(['-qefc', sized, '/dev/null'], { input, client: 'script' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running) child.kill('SIGKILL');
    await this.listener.close(0);
    await this.builder.close();
    await this.engine.close({ stopAll: true });
    await this.networks.close();
    await this.at[Symbol.asyncDispose]();
  }
}

async function feed(stdin: Writable, input: string | Uint8Array | undefined): Promise<void> {
  // A client that ends without reading everything is no failure of the test.
  stdin.on('error', () => {});
  stdin.end(input);
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Says nothing, unless `KOBUNE_TEST_LOG` asks for it. */
function testLogger(): Logger {
  if (process.env.KOBUNE_TEST_LOG === undefined) return silentLogger;
  return createLogger({ level: 'debug', format: 'text', write: (line) => process.stderr.write(line) });
}
