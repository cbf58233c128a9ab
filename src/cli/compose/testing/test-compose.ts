import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { TestDocker } from '../../../docker/testing/test-docker.ts';
import { CommandError } from '../../command-error.ts';
import type { ContainerDetails, ContainerSummary } from '../../docker-client/answers.ts';
import { DockerClient } from '../../docker-client/client.ts';
import { createProgram } from '../../program.ts';
import { TestDirectory } from './test-project.ts';

export interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const COMMAND = fileURLToPath(new URL('../../kobune.ts', import.meta.url));

/** `kobune compose` for tests: on a Docker API over real rooms, with the image `busybox`, and in a directory of its own. */
export class TestCompose implements AsyncDisposable {
  readonly docker: TestDocker;
  readonly client: DockerClient;

  private constructor(docker: TestDocker) {
    this.docker = docker;
    this.client = new DockerClient({ socketPath: docker.socket });
  }

  static async open(): Promise<TestCompose> {
    return new TestCompose(await TestDocker.open());
  }

  /** A project of these files; `compose.yaml` alone when it is a text. Its name is the test's own. */
  project(name: string, files: string | Readonly<Record<string, string>>): TestComposeProject {
    return new TestComposeProject(
      this,
      name,
      new TestDirectory(typeof files === 'string' ? { 'compose.yaml': files } : files),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.docker[Symbol.asyncDispose]();
  }
}

export class TestComposeProject implements AsyncDisposable {
  readonly name: string;
  readonly files: TestDirectory;
  readonly #compose: TestCompose;

  constructor(compose: TestCompose, name: string, files: TestDirectory) {
    this.#compose = compose;
    this.name = name;
    this.files = files;
  }

  get client(): DockerClient {
    return this.#compose.client;
  }

  get environment(): Record<string, string> {
    return { ...this.#compose.docker.environment, COMPOSE_PROJECT_NAME: this.name, TOKEN: 'token' };
  }

  /** Runs a command line, such as `up -d`, in this process. */
  async run(...words: readonly string[]): Promise<Ended> {
    const [stdout, stderr] = [new Collected(), new Collected()];
    const terminal = {
      stdout: stdout as unknown as NodeJS.WriteStream,
      stderr: stderr as unknown as NodeJS.WriteStream,
      environment: this.environment,
      workingDirectory: this.files.path,
    };
    let status = 0;
    const program = createProgram(terminal, '0.0.0', (code) => {
      status = code;
    });
    try {
      await program.parseAsync(['node', 'kobune', 'compose', ...words]);
    } catch (error) {
      if (error instanceof CommanderError) throw error;
      if (!(error instanceof CommandError)) throw error;
      status = error.exitCode;
      stderr.text += `kobune: ${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`;
    }
    return { status, out: stdout.text, err: stderr.text };
  }

  /** The same; throws unless it succeeds. Answers what it printed. */
  async ok(...words: readonly string[]): Promise<string> {
    const { status, out, err } = await this.run(...words);
    if (status !== 0) throw new Error(`kobune compose ${words.join(' ')} ended with ${status}: ${err}${out}`);
    return out;
  }

  /** What a command printed as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers' shapes are what is being checked
  async json(...words: readonly string[]): Promise<any> {
    return JSON.parse(await this.ok(...words, '--json'));
  }

  /** Runs it in a process of its own, as a user does. */
  spawn(...words: readonly string[]) {
    return spawn(process.execPath, [COMMAND, 'compose', ...words], {
      cwd: this.files.path,
      env: this.environment,
      stdio: 'pipe',
    });
  }

  /** Runs it at a terminal, where this is typed. */
  async typed(input: string, ...words: readonly string[]): Promise<Ended> {
    const line = [process.execPath, COMMAND, 'compose', ...words]
      .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
      .join(' ');
    const child = spawn('script', ['-qefc', line, '/dev/null'], {
      cwd: this.files.path,
      env: this.environment,
      stdio: 'pipe',
    });
    child.stdin.write(input);
    const [out, err, [status]] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'exit')]);
    return { status: Number(status), out, err };
  }

  /** The containers there are: service and number, with their state. */
  async states(): Promise<Record<string, string>> {
    const list = await this.containers();
    return Object.fromEntries(list.map(({ name, state }) => [name, state]));
  }

  async containers(): Promise<{ id: string; name: string; state: string; labels: Record<string, string> }[]> {
    const filters = JSON.stringify({ label: [`com.docker.compose.project=${this.name}`] });
    const list = await this.client.json<ContainerSummary[]>('GET', '/containers/json', {
      query: { all: true, filters },
    });
    return list
      .map(({ Id: id, Names: [name = ''], State: state, Labels: labels }) => ({
        id,
        name: name.replace(`/${this.name}-`, ''),
        state,
        labels: { ...labels },
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  inspect(name: string): Promise<ContainerDetails> {
    return this.client.json('GET', `/containers/${this.name}-${name}/json`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const list = await this.containers();
    await Promise.all(
      list.map(({ id }) => this.client.json('DELETE', `/containers/${id}`, { query: { force: true, v: true } })),
    );
    this.files[Symbol.dispose]();
  }
}

class Collected extends Writable {
  text = '';
  readonly isTTY = false;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}
