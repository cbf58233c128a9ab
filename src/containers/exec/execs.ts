import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../base/errors.ts';
import type { TerminalSize } from '../container.ts';
import type { AttachedStreams, Exec, ExecSpec, StartExecOptions } from '../engine.ts';
import { execNotFound, inUse, notRunning } from '../errors.ts';
import type { LiveContainer } from '../live-container.ts';
import type { EngineParts } from '../parts.ts';
import { ExecProcess, type ExecProcessOptions } from './exec-process.ts';
import { checkExec, execProcessSpec } from './exec-spec.ts';

interface Session {
  readonly id: string;
  readonly container: LiveContainer;
  readonly spec: ExecSpec;
  process: ExecProcess | undefined;
  started: boolean;
  exitCode: number | undefined;
  size: TerminalSize | undefined;
}

/** Those that have ended can be asked about until so many others have. */
const REMEMBERED = 1000;

/** Further processes in running containers. */
export class Execs {
  readonly #parts: EngineParts;
  readonly #sessions = new Map<string, Session>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  create(container: LiveContainer, spec: ExecSpec): Exec {
    checkExec(spec);
    if (!container.running) throw notRunning(container.id);
    if (container.record.status === 'paused') {
      throw inUse(`Container ${container.id} is paused, unpause the container before exec`);
    }
    const session: Session = {
      id: this.#parts.random.hex(64),
      container,
      spec,
      process: undefined,
      started: false,
      exitCode: undefined,
      size: undefined,
    };
    this.#sessions.set(session.id, session);
    container.execIds.add(session.id);
    this.#emit(session, `exec_create: ${spec.command.join(' ')}`);
    this.#forgetOld();
    return describe(session);
  }

  get(id: string): Exec {
    return describe(this.#session(id));
  }

  /** Resolves when it runs, with its streams unless `detach`. Throws `CannotStart`, having noted the exit code that goes with it. */
  async start(id: string, { detach, tty, size }: StartExecOptions): Promise<AttachedStreams | undefined> {
    const session = this.#session(id);
    const { container } = session;
    if (session.started) throw inUse(`Error: Exec command ${id} has already run`);
    if (!container.running) throw notRunning(container.id);
    session.started = true;
    const spec = { ...session.spec, tty: tty ?? session.spec.tty };
    this.#emit(session, `exec_start: ${spec.command.join(' ')}`);
    let process: ExecProcess;
    try {
      process = await startProcess(this.#parts, container, spec, id, {
        size: size ?? session.size ?? spec.terminalSize,
        onExit: (exitCode) => this.#ended(session, exitCode),
      });
    } catch (error) {
      this.#ended(session, error instanceof ServiceError ? Number(error.members.exitCode ?? 126) : 126);
      throw error;
    }
    session.process = process;
    if (!detach) return process.streams;
    process.streams.detach();
    return undefined;
  }

  resize(id: string, size: TerminalSize): void {
    const session = this.#session(id);
    session.size = size;
    session.process?.resize(size);
  }

  /** The container is gone. */
  forget(container: LiveContainer): void {
    for (const session of this.#sessions.values())
      if (session.container === container) this.#sessions.delete(session.id);
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id);
    if (!session) throw execNotFound(id);
    return session;
  }

  #ended(session: Session, exitCode: number): void {
    session.exitCode = exitCode;
    session.container.execIds.delete(session.id);
    this.#emit(session, 'exec_die', { exitCode: String(exitCode) });
  }

  #emit({ id, container }: Session, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    this.#parts.emit(action, container.record, { execID: id, ...attributes });
  }

  #forgetOld(): void {
    if (this.#sessions.size <= REMEMBERED) return;
    for (const [id, { exitCode }] of this.#sessions) {
      if (exitCode === undefined) continue;
      this.#sessions.delete(id);
      if (this.#sessions.size <= REMEMBERED) return;
    }
  }
}

/** Starts a process in a running container; also for health checks. */
export async function startProcess(
  parts: EngineParts,
  container: LiveContainer,
  spec: ExecSpec,
  id: string,
  own: Pick<ExecProcessOptions, 'size' | 'onExit'>,
): Promise<ExecProcess> {
  const { record, files } = container;
  const directory = join(files.run.directory, 'execs');
  const [root, cloud] = await Promise.all([
    container.root(),
    record.spec.network.mode === 'bridge' ? parts.cloud() : undefined,
    mkdir(directory, { recursive: true, mode: 0o700 }),
  ]);
  return ExecProcess.start({
    kernel: parts.kernel,
    runtime: parts.runtime,
    containerId: container.id,
    process: execProcessSpec(parts, record, root.path, spec, cloud),
    attachStdin: spec.attachStdin,
    ...own,
    files: join(directory, id),
  });
}

function describe({ id, container, spec, process, started, exitCode }: Session): Exec {
  return {
    id,
    containerId: container.id,
    spec,
    running: started && exitCode === undefined,
    exitCode,
    pid: process?.pid ?? 0,
  };
}
