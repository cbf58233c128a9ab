import type { Timer } from '../../base/clock.ts';
import type { HealthcheckConfig } from '../../images/index.ts';
import type { Health } from '../container.ts';
import { startProcess } from '../exec/execs.ts';
import type { LiveContainer } from '../live-container.ts';
import type { EngineParts } from '../parts.ts';
import { afterProbe, type ProbeResult } from './probe-result.ts';

const NANOSECONDS_PER_MS = 1e6;
/** Source: Dockerfile reference, "HEALTHCHECK". */
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };
const LONGEST_OUTPUT = 4096;
/** Timers take no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const STARTING: Health = { status: 'starting', failingStreak: 0, log: [] };

/**
 * Runs a container's health check as long as it runs. When to run it is told by the clock; how long it may take, being a real process, by
 * the machine.
 */
export class HealthMonitor {
  readonly #parts: EngineParts;
  readonly #container: LiveContainer;
  readonly #check: HealthcheckConfig;
  readonly #times: typeof DEFAULTS;
  #health: Health | undefined;
  #timer: Timer | undefined;
  /** By the clock. */
  #startedAt = 0;
  /** Tells a probe of this run from one of the run before. */
  #run = 0;

  constructor(parts: EngineParts, container: LiveContainer, check: HealthcheckConfig) {
    this.#parts = parts;
    this.#container = container;
    this.#check = check;
    const ms = (nanoseconds: number | undefined, usual: number) =>
      nanoseconds ? nanoseconds / NANOSECONDS_PER_MS : usual;
    this.#times = {
      intervalMs: ms(check.Interval, DEFAULTS.intervalMs),
      timeoutMs: Math.min(ms(check.Timeout, DEFAULTS.timeoutMs), LONGEST_TIMER_MS),
      startPeriodMs: ms(check.StartPeriod, DEFAULTS.startPeriodMs),
      startIntervalMs: ms(check.StartInterval, DEFAULTS.startIntervalMs),
      retries: check.Retries || DEFAULTS.retries,
    };
    container.listen({
      running: (adopted) => this.#start(adopted),
      ended: () => this.#stop(),
      letGo: () => this.#stop(),
    });
  }

  get health(): Health | undefined {
    return this.#health;
  }

  /** The container runs; `adopted`: it has been for a while, in the state that its record tells. */
  #start(adopted: boolean): void {
    this.#run++;
    const { healthStatus, startedAt } = this.#container.record;
    this.#health = adopted && healthStatus ? { ...STARTING, status: healthStatus } : STARTING;
    this.#startedAt = this.#parts.clock.now() - (adopted ? Date.now() - (startedAt ?? Date.now()) : 0);
    this.#schedule(this.#run);
  }

  /** The last state stays to be asked about. */
  #stop(): void {
    this.#run++;
    this.#timer?.cancel();
  }

  get #startingUp(): boolean {
    return this.#parts.clock.now() - this.#startedAt < this.#times.startPeriodMs;
  }

  #schedule(run: number): void {
    const { clock } = this.#parts;
    const soon = this.#health?.status === 'starting' && this.#startingUp;
    const delay = soon ? this.#times.startIntervalMs : this.#times.intervalMs;
    this.#timer = clock.at(clock.now() + delay, () => {
      this.#probe(run).catch((error: unknown) => {
        if (run !== this.#run) return;
        this.#parts.logger.error('a health check has failed', { container: this.#container.id, error });
        this.#schedule(run);
      });
    });
  }

  async #probe(run: number): Promise<void> {
    const startingUp = this.#startingUp;
    const result = this.#container.record.status === 'paused' ? undefined : await this.#runCheck();
    if (run !== this.#run) return;
    if (result) await this.#container.exclusively(() => this.#take(run, result, startingUp));
    if (run === this.#run) this.#schedule(run);
  }

  async #take(run: number, result: ProbeResult, startingUp: boolean): Promise<void> {
    if (run !== this.#run) return;
    const before = this.#health ?? STARTING;
    this.#health = afterProbe(before, result, { retries: this.#times.retries, startingUp });
    const { status } = this.#health;
    if (status === before.status) return;
    await this.#container.save({ healthStatus: status });
    this.#parts.emit(`health_status: ${status}`, this.#container.record);
  }

  async #runCheck(): Promise<ProbeResult> {
    const start = Date.now();
    const { promise: exit, resolve } = Promise.withResolvers<number>();
    try {
      const process = await startProcess(
        this.#parts,
        this.#container,
        {
          command: await this.#command(),
          environment: [],
          tty: false,
          attachStdin: false,
          attachStdout: true,
          attachStderr: true,
          privileged: false,
        },
        `health-${this.#parts.random.hex(12)}`,
        { onExit: resolve },
      );
      let late = false;
      const timeout = setTimeout(() => {
        late = true;
        process.kill();
      }, this.#times.timeoutMs);
      const output = await textOf(process.streams.output);
      const exitCode = await exit;
      clearTimeout(timeout);
      const end = Date.now();
      if (!late) return { start, end, exitCode, output };
      return { start, end, exitCode: -1, output: `Health check exceeded timeout (${this.#times.timeoutMs / 1000}s)` };
    } catch (error) {
      return { start, end: Date.now(), exitCode: -1, output: (error as Error).message };
    }
  }

  async #command(): Promise<readonly string[]> {
    const [kind, ...words] = this.#check.Test ?? [];
    if (kind !== 'CMD-SHELL') return words;
    const image = await this.#parts.images.find(this.#container.record.spec.image.id);
    return [...(image?.config.config?.Shell ?? ['/bin/sh', '-c']), ...words];
  }
}

/** Whether there is anything to run. */
export function isCheck(check: HealthcheckConfig | undefined): check is HealthcheckConfig {
  return check?.Test?.[0] === 'CMD' || check?.Test?.[0] === 'CMD-SHELL';
}

/** The beginning; the rest is read and thrown away, so that the check can end. */
async function textOf(output: AsyncIterable<{ readonly bytes: Uint8Array }>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const { bytes } of output) {
    if (length < LONGEST_OUTPUT) parts.push(bytes);
    length += bytes.length;
  }
  return Buffer.concat(parts).subarray(0, LONGEST_OUTPUT).toString();
}
