import { availableParallelism, cpus } from 'node:os';

export interface AsyncPaceOptions {
  /** Share of the machine's processor time that was idle since it was last asked, 0 to 1. */
  readonly idle?: () => number;
  /** Events of one function that run at once at first. */
  readonly first?: number;
}

/** Enough to keep the processors busy with functions that compute. */
const FIRST = 2 * availableParallelism();
/** How often more may be let in, real milliseconds. */
const STEP_MS = 50;
/** More idle time than this, and more at once get more done. */
const IDLE_SHARE = 0.5;
const GROWTH = 1.5;
/** Without idle time, one more after so many steps: something else may keep the machine busy. */
const PATIENT_STEPS = 20;

/** The events of one function. */
interface Gate {
  running: number;
  allowed: number;
  /** For how many steps some have waited. */
  steps: number;
  readonly waiting: (() => void)[];
}

/**
 * How many queued events of a function run at once. Each needs an environment of its own, and making one takes far longer
 * than a short function runs. So a burst begins with a few, and gets more while processors are idle: functions that wait
 * for something soon have all the environments they can use, and those that compute no more than the machine can run.
 */
export class AsyncPace {
  readonly #idle: () => number;
  readonly #first: number;
  readonly #gates = new Map<string, Gate>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AsyncPaceOptions = {}) {
    this.#idle = options.idle ?? idleMeter();
    this.#first = options.first ?? FIRST;
  }

  /** Resolves when the function's event may run, to what has to be called when it has. */
  async enter(functionArn: string): Promise<() => void> {
    let gate = this.#gates.get(functionArn);
    if (!gate) {
      gate = { running: 0, allowed: this.#first, steps: 0, waiting: [] };
      this.#gates.set(functionArn, gate);
    }
    const entered = gate;
    if (entered.running < entered.allowed) entered.running += 1;
    else await this.#wait(entered);
    return () => this.#leave(functionArn, entered);
  }

  /** Whoever lets it in counts it as running. */
  #wait(gate: Gate): Promise<void> {
    if (this.#timer === undefined) {
      this.#idle();
      this.#timer = setInterval(() => this.#step(), STEP_MS);
      this.#timer.unref();
    }
    return new Promise((enter) => {
      gate.waiting.push(enter);
    });
  }

  #leave(functionArn: string, gate: Gate): void {
    gate.running -= 1;
    this.#admit(gate);
    if (gate.running === 0) this.#gates.delete(functionArn);
  }

  #admit(gate: Gate): void {
    while (gate.running < gate.allowed) {
      const enter = gate.waiting.shift();
      if (!enter) return;
      gate.running += 1;
      enter();
    }
  }

  #step(): void {
    const idle = this.#idle() > IDLE_SHARE;
    let waiting = false;
    for (const gate of this.#gates.values()) {
      if (gate.waiting.length === 0) continue;
      waiting = true;
      gate.steps += 1;
      if (idle) gate.allowed = Math.ceil(gate.allowed * GROWTH);
      else if (gate.steps % PATIENT_STEPS === 0) gate.allowed += 1;
      this.#admit(gate);
    }
    if (waiting) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Tells the share since it was last asked. */
function idleMeter(): () => number {
  let before = processorTimes();
  return () => {
    const now = processorTimes();
    const total = now.total - before.total;
    const share = total === 0 ? 0 : (now.idle - before.idle) / total;
    before = now;
    return share;
  };
}

function processorTimes(): { readonly idle: number; readonly total: number } {
  let [idle, total] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, total };
}
