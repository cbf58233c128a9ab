import { StringDecoder } from 'node:string_decoder';
import type { BuildProgress, BuildStep } from '../../images/index.ts';
import { progressJson } from '../images/progress.ts';
import type { Say } from '../server/json-stream.ts';

interface StepLines {
  readonly messages: object[];
  done: boolean;
}

/**
 * Tells a build in the words of Docker's classic builder. Stages may be built at the same time; that builder's users read one step after the
 * other, so what later steps say waits for the earlier ones.
 */
export class ClassicProgress {
  readonly #say: Say;
  readonly #steps = new Map<number, StepLines>();
  readonly #decoders = new Map<string, StringDecoder>();
  /** The step whose messages go out as they come. */
  #current = 1;

  constructor(say: Say) {
    this.#say = say;
  }

  take(event: BuildProgress): void {
    switch (event.kind) {
      case 'step':
        if (event.state === 'started') this.#start(event.step);
        else this.#finish(event.step, event.cached, event.result);
        return;
      case 'output':
        this.#output(event.step, event.stream, event.bytes);
        return;
      case 'transfer': {
        const { step, id, status, current, total } = event;
        const message = progressJson({
          status,
          ...(id === undefined ? {} : { id }),
          ...(current === undefined ? {} : { current }),
          ...(total === undefined ? {} : { total }),
        });
        if (step === undefined) this.#say(message);
        else this.#tell(step.number, message);
        return;
      }
      case 'warning': {
        const place = event.line === undefined ? '' : ` (line ${event.line})`;
        this.#say({
          stream: `[Warning] ${event.rule === undefined ? '' : `${event.rule}: `}${event.message}${place}\n`,
        });
        return;
      }
    }
  }

  /** Everything that still waits, for a build that has failed: the steps before the one that failed may never end. */
  flush(): void {
    for (const number of [...this.#steps.keys()].sort((one, other) => one - other)) {
      for (const message of this.#steps.get(number)!.messages.splice(0)) this.#say(message);
    }
  }

  #start({ number, total, text }: BuildStep): void {
    this.#tell(number, { stream: `Step ${number}/${total} : ${text}` });
    this.#tell(number, { stream: '\n' });
  }

  #finish({ number, text }: BuildStep, cached: boolean, result: string): void {
    // A base image is there or not: that builder says nothing of a cache then.
    if (cached && !/^FROM\s/i.test(text)) this.#tell(number, { stream: ' ---> Using cache\n' });
    this.#tell(number, { stream: ` ---> ${result}\n` });
    this.#step(number).done = true;
    while (this.#steps.get(this.#current)?.done) {
      this.#steps.delete(this.#current);
      this.#current += 1;
      for (const message of this.#steps.get(this.#current)?.messages.splice(0) ?? []) this.#say(message);
    }
  }

  /** A character may be split between two chunks. */
  #output({ number }: BuildStep, stream: string, bytes: Uint8Array): void {
    const key = `${number} ${stream}`;
    const decoder = this.#decoders.get(key) ?? new StringDecoder('utf8');
    this.#decoders.set(key, decoder);
    const text = decoder.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    if (text !== '') this.#tell(number, { stream: text });
  }

  #tell(number: number, message: object): void {
    if (number === this.#current) this.#say(message);
    else this.#step(number).messages.push(message);
  }

  #step(number: number): StepLines {
    const step = this.#steps.get(number) ?? { messages: [], done: false };
    this.#steps.set(number, step);
    return step;
  }
}
