import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createLogger } from '../../src/base/json-logger.ts';
import { startKobune } from '../../src/main.ts';

export interface ClientKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A whole Kobune in this process, for clients of IAM, STS and CloudWatch Logs. */
export interface IdentityServer extends AsyncDisposable {
  readonly endpoint: string;
  /** The root user's keys in enforce mode; any keys otherwise. */
  readonly root: ClientKeys;
  /** Settings for an SDK client. */
  settings(keys?: ClientKeys): {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: ClientKeys;
    readonly maxAttempts: number;
  };
  /** Runs Debian's AWS CLI and returns what it printed, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  cli(args: readonly string[], keys?: ClientKeys): Promise<any>;
  /** Runs a script with Debian's boto3; `client(name)` makes a client. Returns what it printed. */
  boto3(script: string, keys?: ClientKeys): Promise<string>;
}

const CLI = '/usr/bin/aws';
const PYTHON = '/usr/bin/python3';

/** For `skip`: Debian's AWS CLI 2.9. */
export const withoutCli = existsSync(CLI) ? false : `${CLI} is not installed (apt-get install awscli)`;
/** For `skip`: Debian's boto3 1.26. */
export const withoutBoto3 =
  spawnSync(PYTHON, ['-c', 'import boto3']).status === 0
    ? false
    : 'boto3 is not installed (apt-get install python3-boto3)';

export async function startIdentityServer(iam: 'off' | 'enforce' = 'off'): Promise<IdentityServer> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'kobune-iam-'));
  const kobune = await startKobune({
    dataDirectory,
    ephemeral: false,
    host: '127.0.0.1',
    port: 0,
    iam,
    hosts: [],
    origins: [],
    logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
    environment: process.env,
    onShutdown: () => {},
  });
  const root: ClientKeys =
    iam === 'enforce'
      ? JSON.parse(await readFile(join(dataDirectory, 'root-key.json'), 'utf8'))
      : { accessKeyId: 'test', secretAccessKey: 'test' };
  const environment = (keys: ClientKeys): NodeJS.ProcessEnv => ({
    PATH: process.env.PATH,
    HOME: dataDirectory,
    AWS_ACCESS_KEY_ID: keys.accessKeyId,
    AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
    ...(keys.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: keys.sessionToken }),
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_PAGER: '',
  });
  return {
    endpoint: kobune.endpoint,
    root,
    settings: (keys = root) => ({ endpoint: kobune.endpoint, region: 'us-east-1', credentials: keys, maxAttempts: 1 }),
    cli: async (args, keys = root) => {
      const { stdout } = await promisify(execFile)(
        CLI,
        ['--endpoint-url', kobune.endpoint, '--output', 'json', ...args],
        {
          env: environment(keys),
        },
      );
      return stdout.trim() === '' ? undefined : JSON.parse(stdout);
    },
    boto3: async (script, keys = root) => {
      const preamble = [
        'import boto3, json, time',
        'from botocore.exceptions import ClientError',
        `client = lambda name: boto3.client(name, endpoint_url="${kobune.endpoint}")`,
      ];
      const { stdout } = await promisify(execFile)(PYTHON, ['-c', [...preamble, script].join('\n')], {
        env: environment(keys),
      });
      return stdout.trim();
    },
    [Symbol.asyncDispose]: async () => {
      await kobune.close();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
