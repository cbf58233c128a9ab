import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');

/** A Kobune in a process of its own, on a data directory of its own. */
export interface BenchServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /**
   * Memory of the server's process, bytes: what it has allocated. Pages of the mapped database are not counted: the
   * kernel holds as many of them as it has room for, and takes them back when it wants to.
   */
  memory(): number;
}

/** The program that is measured: the release bundle when it has been built, else the sources. */
export function program(): string[] {
  const bundle = join(root, 'dist/kobune.js');
  return existsSync(bundle) ? [bundle] : [join(root, 'src/cli/kobune.ts')];
}

/** Starts a server that verifies signatures, with durable state, and resolves when it answers. */
export async function startServer(options: { readonly iam: 'off' | 'enforce' }): Promise<BenchServer> {
  const data = await mkdtemp(join(tmpdir(), 'kobune-bench-'));
  const kobune = async (...args: string[]): Promise<Record<string, string>> => {
    const { stdout } = await run(process.execPath, [...program(), ...args, '--data', data, '--json'], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
    });
    return JSON.parse(stdout);
  };
  const { endpoint, pid } = await kobune('up', '--detach', '--port', '0', '--iam', options.iam);
  const variables = await kobune('env');
  return {
    endpoint: endpoint!,
    port: Number(new URL(endpoint!).port),
    pid: Number(pid),
    region: variables.AWS_REGION!,
    credentials: { accessKeyId: variables.AWS_ACCESS_KEY_ID!, secretAccessKey: variables.AWS_SECRET_ACCESS_KEY! },
    memory: () => Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024,
    async [Symbol.asyncDispose]() {
      await run(process.execPath, [...program(), 'down', '--data', data]);
      await rm(data, { recursive: true, force: true });
    },
  };
}
