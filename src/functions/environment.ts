import type {
  EnvironmentStatus,
  FunctionSpec,
  Invocation,
  InvocationReport,
  InvocationResult,
  ResponseSink,
} from './engine.ts';
import type { EnvironmentLog } from './environment-log.ts';
import type { EnvironmentParts } from './environment-parts.ts';
import { brokenRuntime, exited, notLaunched, type Outcome, timedOut } from './invocation-outcome.ts';
import { MemoryPeak } from './memory-peak.ts';
import type { TraceFields } from './platform-lines.ts';
import type { InitOutcome, RuntimeLink, ShutdownReason } from './runtime-link.ts';
import type { SandboxExit } from './sandbox/index.ts';

/** Lambda gives the init phase of an on-demand environment ten seconds. */
export const initTimeoutMs = 10_000;

interface Running {
  readonly sequence: number;
  readonly invocation: Invocation;
  readonly startedAt: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (result: InvocationResult) => void;
}

/**
 * Resolves when everything was read that can be read by now. What is read in this turn of the event loop may have been written after the
 * turn has looked what there is; the next turn looks again.
 */
const wholeTurn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

/**
 * One execution environment: a sandbox that serves one request at a time. starting → idle → busy → idle … → stopping.
 * A time-out, a crash or a broken protocol ends it; it is never used again after that.
 */
export class Environment {
  readonly id: string;
  readonly spec: FunctionSpec;
  readonly log: EnvironmentLog;
  readonly #parts: EnvironmentParts;
  #state: EnvironmentStatus['state'] = 'starting';
  #link: RuntimeLink | undefined;
  #init: InitOutcome | undefined;
  #initDurationMs: number | undefined;
  #initReported = false;
  #running: Running | undefined;
  /** Of the running invocation. */
  #trace: TraceFields | undefined;
  #sequence = 0;
  #frozen = false;
  #boosted = true;
  readonly #memory: MemoryPeak;
  #exit: SandboxExit | undefined;
  #retired = false;
  /** Clock time at which it became idle; `performance.now()` time for freezing. */
  idleSince = 0;
  idleSinceTicks = 0;
  readonly startedAt: number;
  /** Clock time after which its credentials are too old to serve another request. */
  expiresAt = Number.POSITIVE_INFINITY;

  constructor(parts: EnvironmentParts) {
    this.id = parts.id;
    this.spec = parts.spec;
    this.log = parts.log;
    this.#parts = parts;
    this.#memory = new MemoryPeak(parts.spec.memoryMb);
    this.startedAt = parts.host.now();
  }

  get state(): EnvironmentStatus['state'] {
    return this.#state;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  get initialised(): boolean {
    return this.#init?.kind === 'done';
  }

  /** Memory in use at the last reading, bytes. */
  get memoryBytes(): number {
    return this.#memory.bytes;
  }

  /** Runs the init phase. Its failure is not an error here: the first invocation reports it. */
  async start(): Promise<void> {
    const line = this.#parts.lines.initStart();
    if (line) this.log.event(line);
    this.#parts.telemetry?.initStart('init');
    const begun = await this.#connect();
    const link = this.#link!;
    this.#init = await this.#initialise(link, initTimeoutMs, begun);
    const duration = performance.now() - begun;
    if (this.#init.kind === 'done') {
      this.#initDurationMs = duration;
      this.#parts.telemetry?.initReport(duration, 'success');
      return;
    }
    this.#reportInit('init', duration, this.#init);
    link.kill();
  }

  /** Answers when the boot began. */
  async #connect(): Promise<number> {
    const { link, begunAt } = await this.#parts.connect();
    this.#link = link;
    if (this.#state === 'stopping') link.kill();
    void link.ended.then((exit) => this.#onExit(link, exit));
    return begunAt;
  }

  async #initialise(link: RuntimeLink, timeoutMs: number, begun: number): Promise<InitOutcome> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<InitOutcome>((resolve) => {
      timer = setTimeout(() => resolve({ kind: 'timeout' }), Math.max(0, timeoutMs - (performance.now() - begun)));
    });
    const died = link.ended.then((exit): InitOutcome => link.describeExit?.(exit) ?? { kind: 'exit', exit });
    try {
      return await Promise.race([link.initialise(), late, died]);
    } finally {
      clearTimeout(timer);
    }
  }

  #reportInit(phase: 'init' | 'invoke', durationMs: number, outcome: InitOutcome): void {
    const status = outcome.kind === 'timeout' ? 'timeout' : 'error';
    const errorType =
      outcome.kind === 'error' || outcome.kind === 'launch'
        ? outcome.errorType
        : outcome.kind === 'exit'
          ? exited('', outcome.exit).errorType!
          : '';
    if (outcome.kind === 'launch') this.log.event(outcome.line);
    this.#parts.telemetry?.initReport(durationMs, status, errorType);
    const line = this.#parts.lines.initReport(phase, durationMs, status, errorType);
    if (line) this.log.event(line);
  }

  /** Marks it taken: no one else gets it. Returns false when it cannot serve any more. */
  claim(): boolean {
    if (this.#state !== 'idle' && this.#state !== 'starting') return false;
    this.#state = 'busy';
    return true;
  }

  /** Hands a new environment to those that look for an idle one. */
  async release(): Promise<void> {
    if (this.#link) await this.#endBoost(this.#link);
    if (this.#state === 'starting') this.#becomeIdle();
  }

  /**
   * Runs one invocation. To be called after {@link claim}. `undefined`: it was used before and found dead now, before the
   * invocation was handed over, which another environment can therefore serve.
   */
  async invoke(invocation: Invocation, sink: ResponseSink | undefined): Promise<InvocationResult | undefined> {
    const used = this.#sequence > 0;
    if (this.#frozen) {
      this.#frozen = false;
      await this.#link?.sandbox.thaw();
    }
    const died = this.initialised ? this.#exit : undefined;
    if (died && used) {
      this.stop();
      return undefined;
    }
    if (invocation.tailLog) this.log.startTail();
    this.#trace = this.#traceOf(invocation);
    const startedAt = performance.now();
    if (this.#init?.kind !== 'done') {
      const failed = await this.#initialiseAgain(invocation, startedAt);
      if (failed) {
        const line = this.#parts.lines.start(invocation.requestId);
        if (line) this.log.event(line);
        this.#parts.telemetry?.start(invocation, this.#trace);
        return this.#conclude(invocation, startedAt, failed);
      }
    }
    const line = this.#parts.lines.start(invocation.requestId);
    if (line) this.log.event(line);
    const telemetry = this.#parts.telemetry;
    telemetry?.start(invocation, this.#trace);
    if (died) return this.#conclude(invocation, startedAt, exited(invocation.requestId, died));
    const link = this.#link!;
    const answer = new Promise<InvocationResult>((resolve) => {
      const sequence = ++this.#sequence;
      const remainingMs = Math.max(1, this.spec.timeoutMs - (performance.now() - startedAt));
      const timer = setTimeout(() => this.#onTimeout(sequence), remainingMs);
      this.#running = { sequence, invocation, startedAt, timer, resolve };
      const watched = sink && telemetry ? telemetry.measure(sink) : sink;
      link.invoke(sequence, invocation, remainingMs, watched, (outcome) => this.#complete(sequence, outcome));
    });
    if (this.#boosted) await this.#endBoost(link);
    return answer;
  }

  /** While it initialises it has the whole processor, as on Lambda; from then on a share that follows from its memory. */
  async #endBoost(link: RuntimeLink): Promise<void> {
    this.#boosted = false;
    try {
      await link.sandbox.limit({ memoryMb: this.spec.memoryMb, tmpMb: this.spec.ephemeralStorageMb });
    } catch {
      // It has ended already, which is reported elsewhere.
    }
  }

  /**
   * The init phase has failed: Lambda runs it again as part of the first invocation, within the function's time-out.
   * Source: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle", "Failures during the
   * invoke phase".
   */
  async #initialiseAgain(invocation: Invocation, begun: number): Promise<Outcome | undefined> {
    await this.#link?.ended;
    if (this.#state === 'stopping') return brokenRuntime(invocation.requestId, 'Environment stopped');
    this.#exit = undefined;
    this.#parts.telemetry?.initStart('invoke');
    const bootBegan = await this.#connect();
    const outcome = await this.#initialise(this.#link!, this.spec.timeoutMs, Math.max(begun, bootBegan));
    this.#init = outcome;
    if (outcome.kind === 'done') {
      this.#initReported = true;
      this.#parts.telemetry?.initReport(performance.now() - bootBegan, 'success');
      return undefined;
    }
    this.#reportInit('invoke', performance.now() - begun, outcome);
    if (outcome.kind === 'timeout') return timedOut(invocation.requestId, this.spec.timeoutMs);
    if (outcome.kind === 'exit') return exited(invocation.requestId, outcome.exit);
    if (outcome.kind === 'launch') return notLaunched(invocation.requestId, outcome);
    return { status: 'error', payload: outcome.payload, errorType: outcome.errorType, broken: true };
  }

  #onTimeout(sequence: number): void {
    const running = this.#running;
    if (running?.sequence !== sequence) return;
    this.#complete(sequence, timedOut(running.invocation.requestId, this.spec.timeoutMs));
  }

  #onExit(link: RuntimeLink, exit: SandboxExit): void {
    if (link !== this.#link) return;
    this.#exit = exit;
    if (exit.outOfMemory) this.#memory.reachedLimit();
    if (this.#running) {
      this.#complete(this.#running.sequence, link.lastWords() ?? exited(this.#running.invocation.requestId, exit));
    } else if (this.initialised) {
      this.#gone();
    }
  }

  #complete(sequence: number, outcome: Outcome): void {
    const running = this.#running;
    if (running?.sequence !== sequence) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    this.#parts.telemetry?.runtimeDone(running.invocation, performance.now() - running.startedAt, outcome);
    const settled = outcome.broken ? undefined : this.#link?.settled();
    this.#link?.endInvocation();
    if (settled) {
      void this.#afterExtensions(running, outcome, settled);
      return;
    }
    // Output that took the other way (a child's, native code's) was written before the answer, and may be read after it.
    void wholeTurn().then(() => running.resolve(this.#conclude(running.invocation, running.startedAt, outcome)));
  }

  /**
   * The function has answered but its extensions still work: the caller has the answer, the environment stays busy and
   * the time counts. Over the time-out it is ended. Source: Lambda Developer Guide, "Using the Lambda Extensions API".
   */
  async #afterExtensions(running: Running, outcome: Outcome, settled: Promise<void>): Promise<void> {
    const { invocation, startedAt } = running;
    const answered = performance.now();
    if (!invocation.tailLog) {
      const status = outcome.status === 'success' ? undefined : 'Unhandled';
      const report = { ...this.#report(outcome, answered - startedAt) };
      running.resolve({ payload: outcome.payload, functionError: status, logTail: undefined, report });
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), Math.max(0, this.spec.timeoutMs - (answered - startedAt)));
    });
    const died = this.#link!.ended.then(() => true);
    const broken = await Promise.race([settled.then(() => false), late, died]);
    clearTimeout(timer);
    running.resolve(this.#conclude(invocation, startedAt, { ...outcome, broken }));
  }

  #conclude(invocation: Invocation, startedAt: number, outcome: Outcome): InvocationResult {
    const { lines } = this.#parts;
    const elapsed = performance.now() - startedAt;
    if (outcome.broken) this.#readMemory();
    const report = this.#report(outcome, elapsed);
    this.log.endLine();
    if (outcome.status === 'timeout') {
      const line = lines.timedOut(invocation.requestId, this.spec.timeoutMs);
      if (line) this.log.event(line);
    }
    if (outcome.logLine) this.log.event(outcome.logLine);
    for (const line of lines.finish(invocation.requestId, report, this.#trace, outcome.errorType)) {
      this.log.event(line);
    }
    this.#parts.telemetry?.report(invocation, report, outcome);
    const result: InvocationResult = {
      payload: outcome.payload,
      functionError: outcome.status === 'success' ? undefined : 'Unhandled',
      logTail: invocation.tailLog ? this.log.takeTail() : undefined,
      report,
    };
    if (outcome.broken) this.stop(outcome.status === 'timeout' ? 'timeout' : 'failure');
    else if (this.#exit || this.#retired) this.stop();
    else this.#becomeIdle();
    return result;
  }

  #report(outcome: Outcome, elapsed: number): InvocationReport {
    const durationMs = outcome.status === 'timeout' ? this.spec.timeoutMs : elapsed;
    if (this.#memory.due(elapsed)) this.#readMemory();
    const onDemand = this.spec.initializationType === 'on-demand';
    const initDurationMs = this.#initReported || !onDemand ? undefined : this.#initDurationMs;
    this.#initReported = true;
    return {
      durationMs,
      // Initialisation is billed too. Source: AWS Compute Blog, "AWS Lambda standardizes billing for INIT Phase".
      billedDurationMs: Math.ceil(durationMs + (initDurationMs ?? 0)),
      memorySizeMb: this.spec.memoryMb,
      maxMemoryUsedMb: this.#memory.megabytes,
      initDurationMs,
      status: outcome.status,
    };
  }

  #traceOf(invocation: Invocation): TraceFields | undefined {
    if (this.spec.tracing !== 'Active' || !invocation.traceId.includes('Sampled=1')) return undefined;
    const root = /Root=([^;]+)/.exec(invocation.traceId)?.[1];
    return root ? { traceId: root, segmentId: this.#parts.host.segmentId() } : undefined;
  }

  #readMemory(): void {
    const sandbox = this.#link?.sandbox;
    if (sandbox && !this.#exit) this.#memory.read(sandbox);
  }

  #becomeIdle(): void {
    this.#state = 'idle';
    this.idleSince = this.#parts.host.now();
    this.idleSinceTicks = performance.now();
    this.#parts.host.onIdle(this);
  }

  /** Stops every process inside until the next invocation. */
  async freeze(): Promise<void> {
    if (this.#state !== 'idle' || this.#frozen || !this.#link) return;
    this.#frozen = true;
    await this.#link.sandbox.freeze();
    // Taken while the kernel was at it: whoever took it saw `frozen` and thaws.
  }

  /** Ends it now, or, while it is busy, when the invocation is over. */
  retire(): void {
    this.#retired = true;
    if (this.#state !== 'busy') this.stop();
  }

  /** Ends it at once. */
  stop(reason: ShutdownReason = 'spindown'): void {
    if (this.#state === 'stopping') return;
    this.#state = 'stopping';
    const running = this.#running;
    if (running) this.#complete(running.sequence, brokenRuntime(running.invocation.requestId, 'Environment stopped'));
    this.#link?.shutdown(reason);
    this.#parts.host.onGone(this);
  }

  #gone(): void {
    if (this.#state === 'stopping') return;
    this.#state = 'stopping';
    this.#parts.host.onGone(this);
  }

  /** Resolves when nothing of it runs any more, and lets go of what it shared. */
  async ended(): Promise<void> {
    await this.#link?.ended;
    this.#parts.release?.();
  }

  status(): EnvironmentStatus {
    return {
      id: this.id,
      functionArn: this.spec.arn,
      state: this.#state,
      memoryUsedMb: this.#memory.megabytes,
      startedAt: this.startedAt,
    };
  }
}
