import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RequestHandler } from './listener.ts';

/** Makes what answers when the first request has come. */
export class LazyHandler implements RequestHandler {
  readonly #make: () => Promise<RequestHandler>;
  #made: Promise<RequestHandler> | undefined;

  constructor(make: () => Promise<RequestHandler>) {
    this.#make = make;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await (await this.#get()).handle(request, response);
  }

  async upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    await (await this.#get()).upgrade(request, connection);
  }

  end(): void {
    void this.#made?.then((handler) => handler.end());
  }

  abort(): void {
    void this.#made?.then((handler) => handler.abort());
  }

  #get(): Promise<RequestHandler> {
    this.#made ??= this.#make();
    return this.#made;
  }
}
