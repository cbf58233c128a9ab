/** Debian's docker-registry on a free port of loopback, for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAM = '/usr/bin/docker-registry';

export const noDistributionReason: string | undefined = existsSync(PROGRAM)
  ? undefined
  : 'docker-registry is missing: apt-get install docker-registry';

export interface Distribution extends AsyncDisposable {
  /** Host and port, as they stand in references. */
  readonly host: string;
  /** Lines of its log so far. */
  log(): string;
}

export interface DistributionOptions {
  /** Who may come in: basic authentication. */
  readonly users?: Readonly<Record<string, string>>;
  /** Tokens of a server; `certificate` is the PEM file that they are verified with. */
  readonly token?: { readonly realm: string; readonly certificate: string };
}

export async function startDistribution(options: DistributionOptions = {}): Promise<Distribution> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-distribution-'));
  const settings: Record<string, unknown> = {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0', secret: 'test' },
  };
  if (options.users) {
    const path = join(directory, 'htpasswd');
    const lines = Object.entries(options.users).map(([name, password]) => `${name}:${bcrypt(password)}`);
    await writeFile(path, `${lines.join('\n')}\n`);
    settings.auth = { htpasswd: { realm: 'test', path } };
  }
  if (options.token) {
    const { realm, certificate } = options.token;
    settings.auth = { token: { realm, service: 'test', issuer: 'test', rootcertbundle: certificate } };
  }
  const path = join(directory, 'settings.json');
  await writeFile(path, JSON.stringify(settings)); // YAML, too
  const child = spawn(PROGRAM, ['serve', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const host = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      log += chunk.toString();
      const port = /listening on 127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (port) resolve(`localhost:${port}`);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`docker-registry has ended: ${log}`)));
  });
  return {
    host,
    log: () => log,
    async [Symbol.asyncDispose]() {
      await stop(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** The only kind of password that it takes. */
function bcrypt(password: string): string {
  const script = 'import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))';
  return execFileSync('/usr/bin/python3', ['-W', 'ignore', '-c', script, password], { encoding: 'utf8' })
    .trim()
    .replace(/^\$2[by]\$/, '$2y$');
}
