import { ServiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { failureOf } from './failure.ts';
import type { Answer } from './route.ts';

/** What a long operation says while it works. */
export type Say = (message: object) => void;

/** Most that is kept of what the client has not read yet, bytes. */
const MOST_UNREAD = 64 * 1024 * 1024;

interface Context {
  readonly host: { readonly logger: Logger; readonly random: Random };
  readonly gone: AbortSignal;
}

/**
 * Answers with a line of JSON for each message that `work` says. An error before the first is an ordinary error answer; after that it
 * is the last line, as `errorDetail`. `signal` aborts when the client has gone, or reads so slowly that it must be given up.
 */
export async function jsonStream(
  { host, gone }: Context,
  work: (say: Say, signal: AbortSignal) => Promise<void>,
): Promise<Answer> {
  const overrun = new AbortController();
  const queue = new MessageQueue(() => overrun.abort(new Error('the client does not read the progress')));
  work((message) => queue.push(`${JSON.stringify(message)}\r\n`), AbortSignal.any([gone, overrun.signal])).then(
    () => queue.end(),
    (error: unknown) => queue.fail(error),
  );
  const first = await queue.next();
  async function* lines(): AsyncGenerator<string> {
    try {
      for (let line = first; line !== undefined; line = await queue.next()) yield line;
    } catch (error) {
      const { message } = failureOf(error, host);
      yield `${JSON.stringify({ errorDetail: { ...codeOf(error), message }, error: message })}\r\n`;
    }
  }
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/json' }, source: lines() };
}

/** The exit code of a build step that failed. */
function codeOf(error: unknown): { readonly code?: number } {
  const members = error instanceof ServiceError ? error.members : {};
  const code = (members.place as { readonly exitCode?: number } | undefined)?.exitCode;
  return code === undefined ? {} : { code };
}

/** Lines that are said faster than the client reads are joined: progress never holds up the work, and a slow client costs little. */
class MessageQueue {
  readonly #overrun: () => void;
  #pending: string[] = [];
  #size = 0;
  #done = false;
  #error: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(overrun: () => void) {
    this.#overrun = overrun;
  }

  push(line: string): void {
    if (this.#size > MOST_UNREAD) {
      this.#overrun();
      return;
    }
    this.#pending.push(line);
    this.#size += line.length;
    this.#wake?.();
  }

  end(): void {
    this.#done = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = { error };
    this.#wake?.();
  }

  /** What was said since; `undefined` at the end. Throws the work's error once all was read. */
  async next(): Promise<string | undefined> {
    for (;;) {
      if (this.#pending.length > 0) {
        this.#size = 0;
        return this.#pending.splice(0).join('');
      }
      if (this.#error !== undefined) throw this.#error.error;
      if (this.#done) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
