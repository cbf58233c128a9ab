import type { InitOutcome, RuntimeLink } from './runtime-link.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import type { Sandbox, SandboxExit } from './sandbox/index.ts';

/** A runtime that never came up: it ended while booting, or an extension beside it failed. */
export class FailedLink implements RuntimeLink {
  readonly #process: RuntimeProcess;
  readonly #outcome: InitOutcome;

  constructor(process: RuntimeProcess, outcome: InitOutcome) {
    this.#process = process;
    this.#outcome = outcome;
  }

  get sandbox(): Sandbox {
    return this.#process.sandbox;
  }

  get ended(): Promise<SandboxExit> {
    return this.#process.ended;
  }

  initialise(): Promise<InitOutcome> {
    return Promise.resolve(this.#outcome);
  }

  invoke(): void {
    throw new Error('a runtime that failed to start cannot be invoked');
  }

  lastWords(): undefined {
    return undefined;
  }

  endInvocation(): void {}

  settled(): undefined {
    return undefined;
  }

  shutdown(): void {
    this.kill();
  }

  kill(): void {
    this.#process.kill();
  }
}
