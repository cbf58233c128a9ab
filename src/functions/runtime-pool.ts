import type { Logger } from '../base/logger.ts';
import type { Launcher } from './launcher.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import type { Interpreter } from './runtimes/installed.ts';

/** After a process was taken, the next is started when the taker had time to load its code. */
const refillDelayMs = 30;

/**
 * Booted runtimes that wait in their own sandboxes for a function: one pool per interpreter. Python's have imported
 * boto3. A pool fills itself in the background, one process at a time.
 */
export class RuntimePool {
  readonly #launcher: Launcher;
  readonly #interpreter: Interpreter;
  readonly #logger: Logger;
  readonly #waiting: RuntimeProcess[] = [];
  readonly #rich: boolean;
  readonly #size: number;
  #filling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(launcher: Launcher, interpreter: Interpreter, rich: boolean, size: number, logger: Logger) {
    this.#launcher = launcher;
    this.#interpreter = interpreter;
    this.#rich = rich;
    this.#size = size;
    this.#logger = logger;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Memory that the waiting processes use, bytes: an estimate, since reading it takes time at the wrong moment. */
  memory(): number {
    return this.#waiting.length * (this.#rich ? 30 : 20) * 1024 * 1024;
  }

  /** Fills the pool; resolves when it is full. */
  fill(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#filling ??= this.#refill().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  take(): RuntimeProcess | undefined {
    const process = this.#waiting.shift();
    this.#refillLater();
    return process;
  }

  /** Called while cold starts go on: refilling would only take their processor. */
  #refillLater(): void {
    if (this.#closed || this.#filling) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.fill(), refillDelayMs);
    this.#timer.unref();
  }

  async #refill(): Promise<void> {
    while (!this.#closed && this.#waiting.length < this.#size) {
      let process: RuntimeProcess;
      try {
        process = await this.#launcher.launch(this.#interpreter, {
          memoryMb: undefined,
          tmpMb: 512,
          taskRoot: '/var/task',
          rich: this.#rich,
        });
      } catch (error) {
        this.#logger.warn('cannot start a runtime for the pool', {
          interpreter: this.#interpreter.path,
          error: String(error),
        });
        return;
      }
      if (this.#closed) {
        process.kill();
        return;
      }
      this.#waiting.push(process);
      void process.ended.then(() => this.#drop(process));
    }
  }

  #drop(process: RuntimeProcess): void {
    const index = this.#waiting.indexOf(process);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#refillLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#filling;
    const all = this.#waiting.splice(0);
    for (const process of all) process.kill();
    await Promise.all(all.map((process) => process.ended));
  }
}
