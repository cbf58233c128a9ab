import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLogger } from '../../src/base/json-logger.ts';
import type { Logger } from '../../src/base/logger.ts';
import { type Kobune, startKobune } from '../../src/main.ts';

export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface RunningKobuneOptions {
  readonly iam?: 'off' | 'enforce';
  /** Keep nothing on disk; the default. */
  readonly ephemeral?: boolean;
  /** Web origins that may call it. */
  readonly origins?: readonly string[];
  /** Serve the Docker API by TLS. */
  readonly dockerPort?: number;
  /** `HOST=URL` */
  readonly registryMirrors?: readonly string[];
  /** Of its errors alone, unless told. */
  readonly logger?: Logger;
}

/** A whole Kobune in this process, on a port of its own, for real clients to talk to. */
export interface RunningKobune extends AsyncDisposable {
  readonly kobune: Kobune;
  readonly endpoint: string;
  readonly port: number;
  /** A directory that goes with it. */
  readonly scratch: string;
  /** The root user's keys when policies are enforced; any keys otherwise. */
  readonly root: Keys;
  /** Settings for a client of the AWS SDK. */
  settings(keys?: Keys): {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: Keys;
    readonly maxAttempts: number;
  };
  /** Variables for the AWS CLI and boto3: as old as Debian's, these know none for the endpoint. */
  environment(keys?: Keys): NodeJS.ProcessEnv;
  /** Runs Debian's AWS CLI and returns what it printed. Rejects with its `stderr` when it fails. */
  cli(args: readonly string[], keys?: Keys): Promise<string>;
  /** The same, parsed; `undefined` when it printed nothing. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  cliJson(args: readonly string[], keys?: Keys): Promise<any>;
  /** Runs a script with Debian's boto3, in which `client(name)` makes a client; returns what it printed, trimmed. */
  boto3(script: string, keys?: Keys): Promise<string>;
}

const CLI = '/usr/bin/aws';
const PYTHON = '/usr/bin/python3';
const REGION = 'us-east-1';

/** For `skip`: false, or why there is no AWS CLI from Debian. */
export const withoutCli = existsSync(CLI) ? false : `${CLI} is not installed (apt-get install awscli)`;

/** For `skip`: false, or why there is no boto3 from Debian. */
export const withoutBoto3 =
  spawnSync(PYTHON, ['-c', 'import boto3']).status === 0
    ? false
    : 'boto3 is not installed (apt-get install python3-boto3)';

export async function runKobune(options: RunningKobuneOptions = {}): Promise<RunningKobune> {
  const scratch = await mkdtemp(join(tmpdir(), 'kobune-client-'));
  const dataDirectory = join(scratch, 'data');
  const iam = options.iam ?? 'off';
  const kobune = await startKobune({
    dataDirectory,
    ephemeral: options.ephemeral ?? true,
    host: '127.0.0.1',
    port: 0,
    iam,
    unsandboxed: false,
    hosts: [],
    origins: options.origins ?? [],
    dockerPort: options.dockerPort ?? 'off',
    registryMirrors: options.registryMirrors ?? [],
    logger:
      options.logger ?? createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
    environment: process.env,
    onShutdown: () => {},
  });
  const { endpoint, port } = kobune;
  const root: Keys =
    iam === 'enforce'
      ? JSON.parse(await readFile(join(dataDirectory, 'root-key.json'), 'utf8'))
      : { accessKeyId: 'test', secretAccessKey: 'test' };
  const environment = (keys: Keys = root): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: scratch,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    ...(keys.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: keys.sessionToken }),
    AWS_DEFAULT_REGION: REGION,
    AWS_REGION: REGION,
    AWS_PAGER: '',
  });
  const run = async (command: string, args: readonly string[], keys?: Keys) =>
    (await promisify(execFile)(command, args, { env: environment(keys), cwd: scratch, maxBuffer: 16 << 20 })).stdout;
  const cli = (args: readonly string[], keys?: Keys) =>
    run(CLI, ['--endpoint-url', endpoint, '--output', 'json', ...args], keys);
  return {
    kobune,
    endpoint,
    port,
    scratch,
    root,
    settings: (keys = root) => ({ endpoint, region: REGION, credentials: keys, maxAttempts: 1 }),
    environment,
    cli,
    cliJson: async (args, keys) => {
      const output = await cli(args, keys);
      return output.trim() === '' ? undefined : JSON.parse(output);
    },
    boto3: async (script, keys) => {
      const preamble = [
        'import boto3, json, time',
        'from botocore.exceptions import ClientError',
        `client = lambda name, **more: boto3.client(name, endpoint_url="${endpoint}", **more)`,
      ];
      return (await run(PYTHON, ['-c', [...preamble, script].join('\n')], keys)).trim();
    },
    [Symbol.asyncDispose]: async () => {
      await kobune.close();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
