import { writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Writable } from 'node:stream';
import type { Platform } from '../../oci.ts';
import type { Root } from '../../roots.ts';
import type { BuildSession } from '../build-session.ts';
import { isProxyArgument, type RunCommand, type RunInstruction } from '../dockerfile/index.ts';
import type { ExecutedOperation, ExecutingStep, FileSystemSource, Operation, OperationParts } from '../operation.ts';
import { hostPlatform, platformName, samePlatform } from '../stages/stage-plan.ts';
import { argumentsOf, environmentOf, type StageState, workingDirectoryOf } from '../stages/stage-state.ts';
import { MountPoints } from './mount-points.ts';
import { mountParts, type PlannedMount, prepareMounts } from './run-mounts.ts';

/** A command that ended with another exit code than 0. */
export class RunFailedError extends Error {
  readonly exitCode: number;
  constructor(command: readonly string[], exitCode: number, signal: string | undefined) {
    const how = `returned a non-zero code: ${exitCode}${signal === undefined ? '' : ` (${signal})`}`;
    super(`The command '${command.join(' ')}' ${how}`);
    this.name = 'RunFailedError';
    this.exitCode = exitCode;
  }
}

/** Files that a runner mounts into every container. */
const RUNNER_FILES = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname'];

/** RUN. Source: "RUN" of the Dockerfile reference. */
export class RunOperation implements Operation {
  readonly independent = false;
  readonly #session: BuildSession;
  readonly #instruction: RunInstruction;
  readonly #state: StageState;
  readonly #command: RunCommand;
  readonly #mounts: readonly PlannedMount[];

  constructor(
    session: BuildSession,
    instruction: RunInstruction,
    state: StageState,
    command: RunCommand,
    mounts: readonly PlannedMount[],
  ) {
    this.#session = session;
    this.#instruction = instruction;
    this.#state = state;
    this.#command = command;
    this.#mounts = mounts;
  }

  get sources(): readonly FileSystemSource[] {
    return this.#mounts.flatMap(({ source }) => source ?? []);
  }

  definition(): Promise<OperationParts> {
    return this.#parts('definition');
  }

  content(): Promise<OperationParts> {
    return this.#parts('content');
  }

  async #parts(mode: 'definition' | 'content'): Promise<OperationParts> {
    const { options, epoch } = this.#session;
    const mounts = await mountParts(this.#mounts, this.#session, mode);
    return {
      parts: {
        kind: 'RUN',
        command: [...this.#command.words],
        script: this.#command.script === undefined ? undefined : { ...this.#command.script },
        environment: Object.fromEntries(environmentOf(this.#state)),
        arguments: Object.fromEntries(argumentsOf(this.#state)),
        user: this.#state.run.User ?? '',
        workingDirectory: workingDirectoryOf(this.#state),
        network: this.#network,
        extraHosts: [...(options.extraHosts ?? [])],
        shmSize: options.shmSizeBytes,
        ulimits: options.ulimits?.map((limit) => ({ ...limit })),
        mounts: mounts.parts,
        epoch,
        platform: `${this.#state.platform.os}/${this.#state.platform.architecture}`,
      },
      files: mounts.files,
    };
  }

  get #network(): 'default' | 'none' | 'host' {
    return this.#instruction.network === 'default'
      ? (this.#session.options.network ?? 'default')
      : this.#instruction.network;
  }

  async execute(root: Root, step: ExecutingStep): Promise<ExecutedOperation> {
    const { options, parts } = this.#session;
    this.#checkPlatform();
    const points = new MountPoints(root.path, parts.calls);
    for (const file of RUNNER_FILES) points.make(file, 'file');
    const workingDirectory = workingDirectoryOf(this.#state);
    const prepared = await prepareMounts(this.#mounts, this.#session, root, workingDirectory, points);
    try {
      const script = await this.#script();
      const { exitCode, signal } = await parts.runner.run({
        id: root.id,
        root,
        command: this.#command.words,
        environment: [...this.#environment(), ...prepared.environment],
        workingDirectory,
        user: this.#state.run.User ?? '',
        mounts: script === undefined ? prepared.mounts : [...prepared.mounts, script],
        network: this.#network,
        extraHosts: options.extraHosts ?? [],
        ...(options.shmSizeBytes === undefined ? {} : { shmSizeBytes: options.shmSizeBytes }),
        ...(options.ulimits === undefined ? {} : { ulimits: options.ulimits }),
        stdout: sink((bytes) => step.output('stdout', bytes)),
        stderr: sink((bytes) => step.output('stderr', bytes)),
        signal: step.signal,
      });
      if (exitCode !== 0) throw new RunFailedError(this.#command.words, exitCode, signal);
    } finally {
      await prepared.release();
    }
    return { unchanged: points.clear(), changed: [] };
  }

  #checkPlatform(): void {
    const { platform } = this.#state;
    const host = hostPlatform();
    if (canRun(platform, host)) return;
    throw new Error(
      `RUN needs a machine of ${platformName(platform)}, and this one is ${platformName(host)}: other platforms can be built with COPY and ADD only`,
    );
  }

  /** ENV, then ARGs that it does not hide, then proxies that the build was given without an ARG. */
  #environment(): string[] {
    const environment = environmentOf(this.#state);
    const declared = new Map(argumentsOf(this.#state));
    const proxies = Object.entries(this.#session.options.buildArgs).filter(
      ([name]) => isProxyArgument(name) && !environment.has(name) && !declared.has(name),
    );
    return [...environment, ...declared, ...proxies].map(([name, value]) => `${name}=${value}`);
  }

  async #script() {
    const { script } = this.#command;
    if (script === undefined) return undefined;
    const path = join(await this.#session.directory(), `script-${this.#session.rootId()}`);
    await writeFile(path, script.content, { mode: 0o755 });
    return { type: 'bind', source: path, target: posix.join('/dev/pipes', script.name), readOnly: true } as const;
  }
}

/** Processors of amd64 also run programs for 386. */
function canRun(platform: Platform, host: Platform): boolean {
  if (samePlatform(platform, host)) return true;
  return platform.os === host.os && host.architecture === 'amd64' && platform.architecture === '386';
}

function sink(write: (bytes: Uint8Array) => void): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      write(chunk);
      done();
    },
  });
}
