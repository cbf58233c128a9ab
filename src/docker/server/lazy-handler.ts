import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { writeAnswer, writeInstead } from './answer-writer.ts';
import { failureOf } from './failure.ts';
import type { RequestHandler } from './listener.ts';
import { json } from './route.ts';

/** Makes what answers when the first request has come. What could not be made is made anew with the next. */
export class LazyHandler implements RequestHandler {
  readonly #make: () => Promise<RequestHandler>;
  readonly #context: { readonly logger: Logger; readonly random: Random };
  #made: Promise<RequestHandler> | undefined;
  #handler: RequestHandler | undefined;
  #ended = false;

  constructor(make: () => Promise<RequestHandler>, context: { readonly logger: Logger; readonly random: Random }) {
    this.#make = make;
    this.#context = context;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await (await this.#get()).handle(request, response);
  }

  async upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    await (await this.#get()).upgrade(request, connection);
  }

  end(): void {
    this.#ended = true;
    this.#handler?.end();
  }

  abort(): void {
    this.#handler?.abort();
  }

  async settled(): Promise<void> {
    await (await this.#made)?.settled();
  }

  #get(): Promise<RequestHandler> {
    this.#made ??= this.#load();
    return this.#made;
  }

  async #load(): Promise<RequestHandler> {
    try {
      this.#handler = await this.#make();
    } catch (error) {
      this.#made = undefined;
      return this.#failed(error);
    }
    // A request may have come just before the end.
    if (this.#ended) this.#handler.end();
    return this.#handler;
  }

  /** Answers those who have waited. */
  #failed(error: unknown): RequestHandler {
    const { status, message } = failureOf(error, this.#context);
    const answer = json({ message }, status);
    return {
      handle: (_request, response) => writeAnswer(response, answer, {}),
      upgrade: (_request, connection) => writeInstead(connection, answer, {}),
      end: () => {},
      abort: () => {},
      settled: async () => {},
    };
  }
}
