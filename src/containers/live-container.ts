import { ServiceError } from '../base/errors.ts';
import type { Root } from '../images/index.ts';
import { freeze, thaw } from './cgroups/freezer.ts';
import { groupDirectories } from './cgroups/hierarchies.ts';
import { oomKills } from './cgroups/memory-events.ts';
import { makeReadyForMoves } from './cgroups/ready.ts';
import { killMembers } from './cgroups/remove-groups.ts';
import type { Health } from './container.ts';
import { type ContainerFiles, containerFiles } from './directories.ts';
import { containerNotFound, inUse, notRunning } from './errors.ts';
import { Lock } from './lock.ts';
import { releaseMounts } from './mounts/run-mounts.ts';
import { OutputHub } from './output/output-hub.ts';
import { type EngineParts, groupPath } from './parts.ts';
import { Preparation } from './preparation.ts';
import type { ContainerRecord } from './records.ts';
import { Restarts } from './restart-policy.ts';
import { cleanUp, type Run, type RunEnd } from './run.ts';
import { type Prepared, RunMaker } from './run-maker.ts';
import { sendSignal } from './runtime/processes.ts';
import { signalNumber } from './signals.ts';

/** How a run, or the container itself, came to its end. */
export interface ContainerEnd {
  readonly exitCode: number;
  readonly error: string;
}

export interface LifeListener {
  /** Its process runs; `adopted`: since before this Kobune was started. */
  running?(adopted: boolean): void;
  /** Its process has ended; `final` unless it is about to be started again. */
  ended?(end: ContainerEnd, final: boolean): void;
  removed?(end: ContainerEnd): void;
  /** This Kobune has nothing to do with it any more. */
  letGo?(): void;
}

const SIGKILL = 9;
const SIGKILLED = 137;
/** Timers take no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A container while Kobune knows it: its record, its run if it has one, and who waits for it. Its work is done one after the other. */
export class LiveContainer {
  readonly id: string;
  readonly files: ContainerFiles;
  readonly hub = new OutputHub();
  readonly execIds = new Set<string>();
  readonly #parts: EngineParts;
  readonly #lock = new Lock();
  readonly #restarts = new Restarts();
  readonly #maker: RunMaker;
  readonly #listeners = new Set<LifeListener>();
  #record: ContainerRecord;
  #run: Run | undefined;
  #root: Root | undefined;
  #preparation: Preparation | undefined;
  #pendingRestart: { cancel(): void } | undefined;
  #startedAtExactly = 0;
  #keepers = 0;
  #gone = false;
  #health: () => Health | undefined = () => undefined;

  constructor(parts: EngineParts, record: ContainerRecord) {
    this.#parts = parts;
    this.#record = record;
    this.id = record.id;
    this.files = containerFiles(parts.directory, record.id);
    this.#maker = new RunMaker(parts, this);
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get run(): Run | undefined {
    return this.#run;
  }

  get running(): boolean {
    return this.#run !== undefined;
  }

  get health(): Health | undefined {
    return this.#health();
  }

  /** Says who knows its health. */
  watchHealth(health: () => Health | undefined): void {
    this.#health = health;
  }

  /** Whether it is to stay although it ends: it is about to be started again. */
  get kept(): boolean {
    return this.#keepers > 0;
  }

  /** While `work` runs, its end does not have it removed. */
  async keepWhile(work: () => Promise<void>): Promise<void> {
    this.#keepers++;
    try {
      await work();
    } finally {
      this.#keepers--;
    }
  }

  get groupPath(): string {
    return groupPath(this.#parts.instance, this.id);
  }

  listen(listener: LifeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Work that must not meet a start, a stop or a removal. Throws `ContainerNotFound` when it was removed meanwhile. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.#lock.run(() => {
      if (this.#gone) throw containerNotFound(this.id);
      return work();
    });
  }

  /** Changes the record, durably. */
  async save(changes: Partial<ContainerRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changes };
    await this.#parts.records.save(this.#record);
  }

  /** Another name was given to it in the store. */
  renamed(record: ContainerRecord): void {
    this.#record = record;
  }

  /** Its file system, mounted. */
  async root(): Promise<Root> {
    this.#root ??= await this.#parts.images.roots.open(this.id);
    if (!this.#root)
      throw new ServiceError('CannotStart', `the file system of container ${this.id} is missing`, { status: 500 });
    return this.#root;
  }

  /** Makes its process ahead of its start, which is likely to come at once. */
  prepare(): void {
    makeReadyForMoves(this.#parts.hierarchies);
    this.#preparation = Preparation.begin(this.#parts, this.#maker, this.#record);
  }

  /** Something that its process is made from is about to change. */
  async discardPreparation(): Promise<void> {
    await this.#preparation?.discard();
    this.#preparation = undefined;
  }

  /** Starts it. Throws `AlreadyRunning`, `CannotStart`, and what its networks throw. */
  start(): Promise<void> {
    return this.#lock.run(async () => {
      const { status } = this.#record;
      if (status === 'removing' || status === 'dead') {
        throw inUse('container is marked for removal and cannot be started');
      }
      if (status === 'paused') throw inUse('cannot start a paused container, try unpause instead');
      if (this.#run)
        throw new ServiceError('AlreadyRunning', `container ${this.id} is already running`, { status: 304 });
      this.#cancelRestart();
      this.#restarts.reset();
      await this.#begin({ restartCount: 0 });
    });
  }

  /** Ends it with the signal, or with SIGKILL when that takes too long; -1: however long it takes. */
  async stop(options: { readonly timeoutSeconds?: number; readonly signal?: string } = {}): Promise<void> {
    const { spec } = this.#record;
    const signal = signalNumber(options.signal || spec.stopSignal || 'SIGTERM');
    const seconds = options.timeoutSeconds ?? spec.stopTimeoutSeconds;
    await this.#stay();
    const run = this.#run;
    if (!run) return;
    this.#signal(run, signal);
    const milliseconds = seconds * 1000;
    const never = milliseconds < 0 || milliseconds > LONGEST_TIMER_MS;
    const timer = never ? undefined : setTimeout(() => this.#signal(run, SIGKILL), milliseconds);
    await this.#goOn();
    await run.ended;
    clearTimeout(timer);
    await this.#settled();
    this.#parts.emit('stop', this.#record);
  }

  /** Throws `NotRunning`. */
  async kill(signal: string): Promise<void> {
    const number = signalNumber(signal || 'SIGKILL');
    const run = this.#run;
    if (!run) throw new ServiceError('NotRunning', `container ${this.id} is not running`, { status: 409 });
    const last = number === SIGKILL || number === signalNumber(this.#record.spec.stopSignal || 'SIGTERM');
    if (last) await this.#stay();
    this.#signal(run, number);
    if (last) await this.#goOn();
    if (number !== SIGKILL) return;
    await run.ended;
    await this.#settled();
  }

  pause(): Promise<void> {
    return this.#lock.run(async () => {
      if (!this.#run) throw notRunning(this.id);
      if (this.#record.status === 'paused') throw inUse(`container ${this.id} is already paused`);
      await freeze(this.#parts.hierarchies, this.groupPath);
      await this.save({ status: 'paused' });
      this.#parts.emit('pause', this.#record);
    });
  }

  unpause(): Promise<void> {
    return this.#lock.run(async () => {
      if (this.#record.status !== 'paused') throw inUse(`container ${this.id} is not paused`);
      await this.#unpause();
    });
  }

  async #unpause(): Promise<void> {
    thaw(this.#parts.hierarchies, this.groupPath);
    await this.save({ status: 'running' });
    this.#parts.emit('unpause', this.#record);
  }

  /** What was paused takes the signal that is to end it only when it goes on. */
  #goOn(): Promise<void> {
    return this.#lock.run(async () => {
      if (this.#run && this.#record.status === 'paused') await this.#unpause();
    });
  }

  /** Follows a run that an earlier Kobune has started. */
  adopt(run: Run): void {
    this.#follow(run);
    this.#startedAtExactly -= Date.now() - (this.#record.startedAt ?? Date.now());
    for (const { point } of this.#record.mounts)
      if (point.name !== undefined) this.#parts.volumes.enter(point.name, this.id);
    for (const listener of [...this.#listeners]) listener.running?.(true);
  }

  /** It was running when an earlier Kobune ended, and is no longer. */
  endedMeanwhile(run: Run): Promise<void> {
    this.adopt(run);
    return run.ended.then(() => this.#settled());
  }

  /** Takes back what a start has done that a kill has cut short. */
  undoStart(): Promise<void> {
    return this.#lock.run(() => this.#undo());
  }

  /** Its run cannot be followed: it is ended, so that nothing runs of which nobody knows. */
  giveUp(error: Error): Promise<void> {
    return this.#lock.run(async () => {
      await this.#undo();
      await this.save({
        status: 'exited',
        exitCode: SIGKILLED,
        error: error.message,
        finishedAt: Date.now(),
        run: undefined,
        endpoints: [],
        ports: [],
      });
      this.#tellEnd(true);
    });
  }

  /** Lets go of the process, which goes on. */
  letGo(): Promise<void> {
    return this.#lock.run(async () => {
      this.#cancelRestart();
      await this.discardPreparation();
      this.#run?.letGo();
      this.#run = undefined;
      this.hub.end();
      for (const listener of [...this.#listeners]) listener.letGo?.();
    });
  }

  /** Deletes everything of it, and does `also` before it is told to be gone. Its process must have ended. */
  remove(also: () => Promise<void> = async () => {}): Promise<void> {
    return this.#lock.run(async () => {
      // Two have asked for it, or its end has.
      if (this.#gone) return;
      if (this.#run) throw inUse(`container ${this.id} is running: stop the container before removing or force remove`);
      this.#cancelRestart();
      await this.discardPreparation();
      await this.save({ status: 'removing' });
      await this.#delete(also);
    });
  }

  async #delete(also: () => Promise<void>): Promise<void> {
    const { images, records } = this.#parts;
    await (await images.roots.open(this.id))?.remove();
    await this.#parts.removeFiles(this.files.directory);
    await images.letGo(this.#record.spec.image.id, this.id);
    await records.remove(this.#record);
    this.#gone = true;
    await also();
    // A start that failed was told by itself: this is about the removal.
    const end = { exitCode: this.#record.exitCode, error: '' };
    this.#parts.emit('destroy', this.#record);
    for (const listener of [...this.#listeners]) listener.removed?.(end);
    this.#listeners.clear();
  }

  /** It is not started again by its policy. */
  async #stay(): Promise<void> {
    if (this.#run) {
      if (!this.#record.stoppedByUser) await this.save({ stoppedByUser: true });
      return;
    }
    await this.#lock.run(async () => {
      if (this.#pendingRestart) {
        this.#cancelRestart();
        await this.save({ stoppedByUser: true, status: 'exited' });
        this.#tellEnd(true);
      } else if (this.#run && !this.#record.stoppedByUser) {
        await this.save({ stoppedByUser: true });
      }
    });
  }

  #signal(run: Run, number: number): void {
    const { hierarchies } = this.#parts;
    sendSignal(run.record.process, number);
    // Without a process namespace of its own, others do not end with the first.
    if (number === SIGKILL && this.#record.spec.pidMode !== 'private') {
      const directory = groupDirectories(hierarchies, this.groupPath)[0]!;
      killMembers(directory);
    }
    this.#parts.emit('kill', this.#record, { signal: String(number) });
    if (number === SIGKILL && this.#record.status === 'paused') thaw(hierarchies, this.groupPath);
  }

  /** Everything that an end brings with it has been done. */
  #settled(): Promise<void> {
    return this.#lock.run(async () => {});
  }

  async #begin({ restartCount }: { readonly restartCount: number }): Promise<void> {
    const parts = this.#parts;
    const { status } = this.#record;
    try {
      makeReadyForMoves(parts.hierarchies);
      const { run, connected } = await this.#maker.makeConnected(await this.#takePreparation());
      this.#follow(run);
      const started = this.save({
        status: 'running',
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: Date.now(),
        restartCount,
        stoppedByUser: false,
        healthStatus: undefined,
        run: run.record,
        endpoints: connected?.endpoints ?? [],
        ports: connected?.ports ?? [],
      });
      await Promise.all([run.release(), started]);
    } catch (error) {
      await this.#undo().catch((undoing: unknown) => {
        parts.logger.warn('something of a start that failed remains', { container: this.id, error: undoing });
      });
      const { message } = error as Error;
      const exitCode = error instanceof ServiceError ? Number(error.members.exitCode ?? 128) : 128;
      await this.save({
        status: status === 'restarting' ? 'exited' : status,
        exitCode,
        error: message,
        run: undefined,
        endpoints: [],
        ports: [],
      });
      throw error;
    }
    this.#tellVolumes('mount');
    parts.emit('start', this.#record);
    for (const listener of [...this.#listeners]) listener.running?.(false);
  }

  async #takePreparation(): Promise<Prepared | undefined> {
    const preparation = this.#preparation;
    this.#preparation = undefined;
    return preparation?.take(this.#record.spec);
  }

  async #undo(): Promise<void> {
    this.#run?.letGo();
    this.#run = undefined;
    await this.#maker.undo();
  }

  #tellVolumes(action: 'mount' | 'unmount'): void {
    for (const { point } of this.#record.mounts) {
      if (point.name === undefined) continue;
      const { destination, propagation, readOnly } = point;
      const how = { destination, propagation, 'read/write': String(!readOnly) };
      this.#parts.volumes.tell(action, point.name, { container: this.id, ...(action === 'mount' ? how : {}) });
    }
  }

  #follow(run: Run): void {
    this.#run = run;
    this.#startedAtExactly = performance.now();
    const complain = (error: unknown) =>
      this.#parts.logger.error('a container cannot be followed', { container: this.id, error });
    run.watchMemory(this.#record.oomKilled, () => void this.#lock.run(() => this.#outOfMemory(run)).catch(complain));
    run.ended.then((ending) => this.#lock.run(() => this.#end(run, ending))).catch(complain);
  }

  /** The kernel has ended a process for want of memory, and it need not have been the first one. */
  async #outOfMemory(run: Run): Promise<void> {
    if (this.#run !== run) return;
    await this.save({ oomKilled: true });
    this.#parts.emit('oom', this.#record);
  }

  async #end(run: Run, { exitCode, finishedAt }: RunEnd): Promise<void> {
    // A start that failed has taken care of it.
    if (this.#run !== run) return;
    const parts = this.#parts;
    const { spec, startedAt = 0, restartCount, stoppedByUser, oomKilled } = this.#record;
    const outOfMemory = run.takeOutOfMemory() || (!oomKilled && oomKills(parts.hierarchies, this.groupPath) > 0);
    this.#run = undefined;
    const released = spec.network.mode === 'bridge' ? parts.networks.release(this.id) : undefined;
    const ranMs = performance.now() - this.#startedAtExactly;
    const delay = this.#restarts.next(spec.restart, { exitCode, ranMs, restartCount, stoppedByUser });
    const saved = this.save({
      status: delay === undefined ? 'exited' : 'restarting',
      exitCode,
      oomKilled: oomKilled || outOfMemory,
      // The times of files are some milliseconds behind the clock that the start was told by.
      finishedAt: Math.max(finishedAt, startedAt),
      run: undefined,
      endpoints: [],
      ports: [],
    });
    // What fails of it must not keep those who wait for the end from being told.
    for (const result of await Promise.allSettled([released, saved])) {
      if (result.status === 'fulfilled') continue;
      parts.logger.error('the end of a container is not complete', { container: this.id, error: result.reason });
    }
    if (outOfMemory) parts.emit('oom', this.#record);
    parts.emit('die', this.#record, { exitCode: String(exitCode), execDuration: String(Math.round(ranMs / 1000)) });
    this.#tellVolumes('unmount');
    this.hub.end();
    if (delay !== undefined) this.#restartIn(delay);
    this.#tellEnd(delay === undefined);
    await cleanUp(parts, this.id);
    releaseMounts(parts, this.#record, this.files);
  }

  #tellEnd(final: boolean): void {
    const end = { exitCode: this.#record.exitCode, error: this.#record.error };
    for (const listener of [...this.#listeners]) listener.ended?.(end, final);
  }

  #restartIn(delay: number): void {
    const { clock, logger } = this.#parts;
    const restart = async () => {
      if (!this.#pendingRestart || this.#run) return;
      this.#pendingRestart = undefined;
      try {
        await this.#begin({ restartCount: this.#record.restartCount + 1 });
      } catch (error) {
        logger.warn('a container could not be started again', { container: this.id, error });
        this.#tellEnd(true);
      }
    };
    this.#pendingRestart = clock.at(clock.now() + delay, () => void this.#lock.run(restart));
  }

  #cancelRestart(): void {
    this.#pendingRestart?.cancel();
    this.#pendingRestart = undefined;
  }
}
