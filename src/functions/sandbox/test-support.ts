import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Logger } from '../../base/logger.ts';
import type { SandboxNetwork } from '../../network/index.ts';
import { createSandboxProvider } from './provider.ts';
import type { Sandbox, SandboxExit, SandboxOptions, SandboxProvider } from './sandbox.ts';

export const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => SILENT,
};

/** What a program inside printed, and how it ended. */
export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: SandboxExit;
}

/** Real sandboxes for a test, below a scratch directory that goes with them. */
export class TrialGround {
  readonly directory: string;
  readonly provider: SandboxProvider;
  #count = 0;

  private constructor(directory: string, provider: SandboxProvider) {
    this.directory = directory;
    this.provider = provider;
  }

  static async open(network?: SandboxNetwork): Promise<TrialGround> {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-sandbox-'));
    const provider = await createSandboxProvider({ directory: join(directory, 'run'), logger: SILENT, network });
    return new TrialGround(directory, provider);
  }

  async close(): Promise<void> {
    await this.provider.close();
    await rm(this.directory, { recursive: true });
  }

  /** Starts `command` with this Node at `/var/runtime/bin/node`. */
  start(command: readonly string[], options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
    return this.provider.create({
      id: `t${this.#count++}`,
      command,
      environment: { PATH: '/usr/bin:/bin' },
      binds: [{ source: dirname(process.execPath), target: '/var/runtime/bin', readOnly: true }],
      workingDirectory: '/tmp',
      tmpMb: 16,
      memoryMb: 512,
      ...options,
    });
  }

  startNode(script: string, options?: Partial<SandboxOptions>): Promise<Sandbox> {
    return this.start(['/var/runtime/bin/node', '--no-warnings', '-e', script], options);
  }

  /** Runs a shell command to its end. */
  async shell(script: string, options?: Partial<SandboxOptions>): Promise<Outcome> {
    return outcome(await this.start(['/bin/sh', '-c', script], options));
  }

  /** Runs JavaScript to its end; `answer` is what it returned, by way of JSON. */
  async node<T>(body: string, options?: Partial<SandboxOptions>): Promise<T> {
    const script = `(async () => { ${body} })().then(
      (value) => process.stdout.write(JSON.stringify(value ?? null)),
      (error) => { console.error(error); process.exitCode = 1; })`;
    const { stdout, stderr, exit } = await outcome(await this.startNode(script, options));
    if (exit.code !== 0) throw new Error(`ended with ${JSON.stringify(exit)}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }
}

export async function outcome(sandbox: Sandbox): Promise<Outcome> {
  sandbox.stdin.end();
  const [stdout, stderr, exit] = await Promise.all([text(sandbox.stdout), text(sandbox.stderr), sandbox.exited]);
  return { stdout, stderr, exit };
}

/** Resolves with the first `marker` that the sandbox prints. */
export async function printed(sandbox: Sandbox, marker: string): Promise<void> {
  let seen = '';
  for await (const chunk of sandbox.stdout.iterator({ destroyOnReturn: false })) {
    seen += chunk;
    if (seen.includes(marker)) return;
  }
  throw new Error(`ended without ${marker}: ${seen}`);
}

/** The reason to skip a test that needs bwrap, as `doctor` would say it. */
export async function whyNoSandbox(): Promise<string | false> {
  const ground = await TrialGround.open();
  const { kind, missing } = ground.provider.capabilities;
  await ground.close();
  return kind === 'bwrap' ? false : missing.join('; ');
}
