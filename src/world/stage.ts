import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FrontEnd } from '../gateway/index.ts';
import type { World } from './world.ts';

/** Holds the world behind the front door, so that a reset can exchange it while requests wait. */
export class Stage implements FrontEnd {
  readonly name = 'AWS APIs';
  readonly #make: () => World;
  #world: World;
  /** While the world is exchanged. */
  #exchange: Promise<void> | undefined;

  constructor(make: () => World) {
    this.#make = make;
    this.#world = make();
  }

  get world(): World {
    return this.#world;
  }

  matches(): boolean {
    return true;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#exchange === undefined) this.#hand(request, response);
    else void this.#exchange.then(() => this.#hand(request, response));
  }

  /**
   * Ends the world, runs `between`, and makes another. Requests that come meanwhile are answered by the new one. With
   * `erase`, containers end, too: their state is about to go.
   */
  async replace(between: () => Promise<void>, options: { readonly erase: boolean }): Promise<void> {
    while (this.#exchange !== undefined) await this.#exchange;
    const done = Promise.withResolvers<void>();
    this.#exchange = done.promise;
    try {
      await this.#world.close(options);
      await between();
    } finally {
      try {
        this.#world = this.#make();
        await this.#world.start();
      } finally {
        // Also when the new one has not wholly begun: nobody is to wait for ever.
        this.#exchange = undefined;
        done.resolve();
      }
    }
  }

  async close(): Promise<void> {
    await this.#exchange;
    await this.#world.close();
  }

  #hand(request: IncomingMessage, response: ServerResponse): void {
    const frontEnd = this.#world.frontEnds.find((candidate) => candidate.matches(request));
    if (frontEnd) {
      frontEnd.handle(request, response);
      return;
    }
    response.writeHead(404, { 'content-type': 'text/plain' });
    response.end('Nothing answers to this name here.\n');
  }
}
