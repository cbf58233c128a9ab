import { rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../base/logger.ts';
import { memoryEvents, newKills } from './cgroups/memory-events.ts';
import { type MemoryWatch, watchMemory } from './cgroups/memory-watch.ts';
import { removeGroups } from './cgroups/remove-groups.ts';
import type { LogConfig } from './container.ts';
import type { ContainerFiles } from './directories.ts';
import { JsonLog } from './logs/json-log.ts';
import { OutputSpool } from './logs/output-spool.ts';
import type { OutputHub } from './output/output-hub.ts';
import { type EngineParts, groupPath } from './parts.ts';
import type { RunRecord } from './records.ts';
import { onMonitorEnd, type RunEnd, readEnd, startMonitor, takeOutOfMemory } from './runtime/conmon.ts';
import { makeSpec, type RunPlan } from './runtime/make-spec.ts';
import { forget, releaseProcess } from './runtime/oci-runtime.ts';
import { endProcess, identify, isAlive, type ProcessIdentity, sendSignal } from './runtime/processes.ts';
import { startError } from './runtime/start-error.ts';

export type { RunEnd } from './runtime/conmon.ts';

export interface RunOptions {
  readonly id: string;
  readonly files: ContainerFiles;
  readonly log: LogConfig;
  readonly hub: OutputHub;
}

const SIGKILLED = 137;
const MEBIBYTE = 1024 * 1024;
/** So much may wait while Kobune does not run, for logs that are never rotated and for those that are not kept. */
const SPOOL_LIMIT = 1024 * MEBIBYTE;
const LEAST_SPOOL = 16 * MEBIBYTE;

/** One run of a container's process, from its start to its exit: made here, or found again after a restart. */
export class Run {
  readonly record: RunRecord;
  /** Resolves when the process has ended and its output is in the log. */
  readonly ended: Promise<RunEnd>;
  readonly spool: OutputSpool;
  readonly #parts: EngineParts;
  readonly #options: RunOptions;
  readonly #stopWaiting: () => void;
  #memory: MemoryWatch | undefined;

  private constructor(parts: EngineParts, options: RunOptions, record: RunRecord) {
    this.#parts = parts;
    this.#options = options;
    this.record = record;
    this.spool = openSpool(parts, options, record.monitor);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stopWaiting = onMonitorEnd(options.files.run, resolve);
    if (!this.goesOn) resolve();
    this.ended = promise.then(() => this.#finish());
  }

  /** Makes the container's process; it waits for `release`. Rejects with `CannotStart`. */
  static async start(parts: EngineParts, options: RunOptions, plan: RunPlan, stdin: StdinChoice): Promise<Run> {
    const { files, id, log } = options;
    rmSync(files.run.directory, { recursive: true, force: true });
    await mkdir(files.run.exits, { recursive: true, mode: 0o700 });
    await writeFile(files.run.spec, JSON.stringify(makeSpec(plan)), { mode: 0o600 });
    try {
      const { pid, monitorPid } = await startMonitor({
        program: parts.monitorProgram,
        runtime: parts.runtime,
        id,
        files: files.run,
        kernel: parts.kernel,
        terminal: plan.terminal,
        openStdin: stdin.open,
        keepStdin: stdin.keep,
        spoolLimitBytes: spoolLimit(log),
      });
      const [process_, monitor] = [identify(pid), identify(monitorPid)];
      if (!process_ || !monitor) throw new Error('the process ended before it was started');
      const networkNamespace = typeof plan.network === 'string' ? undefined : plan.network.path;
      return new Run(parts, options, { process: process_, monitor, networkNamespace });
    } catch (error) {
      await cleanUp(parts, id);
      throw startError((error as Error).message, plan.args[0] ?? '', error);
    }
  }

  /** Follows a run that goes on from before. */
  static adopt(parts: EngineParts, options: RunOptions, record: RunRecord): Run {
    // It may have been held when this Kobune's forerunner was killed.
    sendSignal(record.monitor, 'SIGCONT');
    return new Run(parts, options, record);
  }

  /** Whether what owns the process is still there. */
  get goesOn(): boolean {
    return isAlive(this.record.monitor);
  }

  release(): Promise<void> {
    return releaseProcess(this.#parts.runtime, this.#options.id, this.record.process);
  }

  /** Calls `told` whenever a process of the container has been ended for want of memory; `toldBefore`: what was until now, is known. */
  watchMemory(toldBefore: boolean, told: () => void): void {
    const { hierarchies, instance } = this.#parts;
    const { files, id } = this.#options;
    const group = groupPath(instance, id);
    // With control groups of version 2 conmon 2.1 is silent about other processes than the first.
    this.#memory =
      hierarchies.version === 2
        ? watchMemory(memoryEvents(hierarchies, group)!, newKills(hierarchies, group, toldBefore), told)
        : watchMemory(files.run.exits, () => takeOutOfMemory(files.run), told);
  }

  /** Whether there was such an end of which nobody has been told. */
  takeOutOfMemory(): boolean {
    return this.#memory?.take() ?? false;
  }

  /** Stops following; the process goes on. */
  letGo(): void {
    this.#stopWaiting();
    this.#memory?.stop();
    this.spool.close();
  }

  async #finish(): Promise<RunEnd> {
    const { files, id } = this.#options;
    // A monitor that was killed leaves its process behind, whose output nobody reads any more.
    this.#memory?.stop();
    const end = await readEnd(files.run, id, () => this.goesOn);
    if (!end) await endProcess(this.record.process);
    await this.spool.finish();
    return end ?? { exitCode: SIGKILLED, finishedAt: Date.now() };
  }
}

export interface StdinChoice {
  readonly open: boolean;
  readonly keep: boolean;
}

/** What a run leaves in the kernel and with the runtime. */
export async function cleanUp(parts: EngineParts, id: string): Promise<void> {
  const gone = await removeGroups(parts.hierarchies, groupPath(parts.instance, id));
  if (!gone) parts.logger.warn('control groups of a container remain', { container: id });
  await forget(parts.runtime, id);
}

/** The first process of a run that was made, whatever the store knows of it. */
export async function madeProcess(files: ContainerFiles): Promise<ProcessIdentity | undefined> {
  const text = await readFile(join(files.run.directory, 'pid'), 'latin1').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? identify(pid) : undefined;
}

function openSpool(parts: EngineParts, { files, log, hub }: RunOptions, monitor: ProcessIdentity): OutputSpool {
  const logger: Logger = parts.logger;
  return new OutputSpool({
    path: files.run.spool,
    checkpointPath: files.run.checkpoint,
    kernel: parts.kernel,
    openLog: (place) =>
      log.driver === 'none'
        ? undefined
        : new JsonLog({ path: files.log, maxSizeBytes: log.maxSizeBytes, maxFiles: log.maxFiles }, place),
    onOutput: (entry) => hub.push(entry),
    congested: () => hub.congested,
    hold: (held) => void sendSignal(monitor, held ? 'SIGSTOP' : 'SIGCONT'),
    logger,
  });
}

/** As much as the log keeps: what is rotated away there need not wait either. */
function spoolLimit({ driver, maxSizeBytes, maxFiles }: LogConfig): number {
  if (driver === 'none') return LEAST_SPOOL;
  return maxSizeBytes > 0 ? Math.max(LEAST_SPOOL, maxSizeBytes * maxFiles) : SPOOL_LIMIT;
}
