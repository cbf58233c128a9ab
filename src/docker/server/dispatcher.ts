import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import { invalid, type Shape } from '../shapes/shape.ts';
import { writeAnswer, writeInstead } from './answer-writer.ts';
import { NEWEST_API, splitVersion } from './api-version.ts';
import { failureOf } from './failure.ts';
import { Query } from './query.ts';
import { finish, openingOf, takeConnection } from './raw-connection.ts';
import { readJsonBody } from './request-body.ts';
import type { DockerHost } from './rooms.ts';
import type { Answer, AnswerHeaders, Call, Route } from './route.ts';
import { Router } from './router.ts';
import { acceptWebSocket, notUpgraded } from './websocket.ts';

/** Brings requests to their operations and writes what these answer. */
export class Dispatcher {
  readonly #host: DockerHost;
  readonly #router: Router;
  readonly #ending = new AbortController();
  readonly #calls = new Set<AbortController>();
  readonly #running = new Set<Promise<void>>();
  readonly #headers: AnswerHeaders;

  constructor(host: DockerHost, routes: readonly Route[]) {
    this.#host = host;
    this.#router = new Router(routes);
    this.#headers = {
      'Api-Version': `1.${NEWEST_API}`,
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `Kobune/${host.version} (linux)`,
    };
  }

  /** Ends what would never end by itself: followed logs, events, attached streams. */
  end(): void {
    this.#ending.abort(new Error('Kobune stops'));
  }

  /** Gives up what is still under way. */
  abort(): void {
    for (const call of this.#calls) call.abort(new Error('Kobune stops'));
  }

  /** Resolves when no request is under way, also none whose client has gone. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Answers an ordinary request. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return this.#track(this.#handle(request, response));
  }

  /** Answers a request for an upgrade. Never rejects. */
  upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    return this.#track(this.#upgrade(request, connection));
  }

  #track(running: Promise<void>): Promise<void> {
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { gone, follow } = this.#client();
    follow(response, () => response.writableFinished);
    try {
      const answer = await this.#run(request, false, gone);
      if (answer.kind === 'raw') {
        const connection = await takeConnection(request, response);
        follow(connection);
        await this.#runRaw(connection, answer, false);
      } else if (answer.kind === 'websocket') throw notUpgraded();
      else await writeAnswer(response, answer, this.#headers);
    } catch (error) {
      if (response.headersSent || response.destroyed || gone.aborted) response.destroy();
      else await writeAnswer(response, this.#failure(error), this.#headers);
    }
    // What nobody wanted of a body is read away: until then the client may wait to send it, and cannot send anything else.
    if (!request.complete && !request.destroyed) request.resume();
  }

  async #upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    const { gone, follow } = this.#client();
    follow(connection);
    try {
      const answer = await this.#run(request, true, gone);
      if (answer.kind === 'raw') await this.#runRaw(connection, answer, true);
      else if (answer.kind === 'websocket') {
        const messages = acceptWebSocket(request, connection, this.#headers);
        await this.#serve(messages, answer);
        if (!messages.writableEnded) messages.destroy();
      } else await writeInstead(connection, answer, this.#headers);
    } catch (error) {
      if (gone.aborted) connection.destroy();
      else await writeInstead(connection, this.#failure(error), this.#headers).catch(() => connection.destroy());
    }
  }

  /** A call's client, which has gone when the stream closes that leads to it. */
  #client(): { readonly gone: AbortSignal; follow(stream: Writable, answered?: () => boolean): void } {
    const gone = new AbortController();
    this.#calls.add(gone);
    return {
      gone: gone.signal,
      follow: (stream, answered = () => false) => {
        const over = () => {
          this.#calls.delete(gone);
          if (!answered()) gone.abort(new Error('the client has gone'));
        };
        // It may have gone while what answers was loaded.
        if (stream.closed) over();
        else stream.once('close', over);
      },
    };
  }

  async #runRaw(connection: Duplex, answer: Extract<Answer, { kind: 'raw' }>, upgraded: boolean): Promise<void> {
    connection.write(openingOf(upgraded, answer.contentType, this.#headers));
    await this.#serve(connection, answer);
    finish(connection);
  }

  /** The answer has begun: there is no way left to tell the client what went wrong. */
  async #serve(connection: Duplex, answer: { readonly run: (connection: Duplex) => Promise<void> }): Promise<void> {
    try {
      await answer.run(connection);
    } catch (error) {
      this.#host.logger.debug('a raw connection failed', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  async #run(request: IncomingMessage, upgraded: boolean, gone: AbortSignal): Promise<Answer> {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const { api, path } = splitVersion(at < 0 ? url : url.slice(0, at));
    const { route, parameters } = this.#router.find(request.method ?? '', path, api);
    const query = new Query(at < 0 ? '' : url.slice(at + 1));
    return route.handle(this.#call({ api, parameters, query, request, upgraded, gone }));
  }

  #call(parts: Pick<Call, 'api' | 'parameters' | 'query' | 'request' | 'upgraded' | 'gone'>): Call {
    const ending = this.#ending.signal;
    const optionalJson = <T>(shape: Shape<T>) => readJsonBody(parts.request, shape);
    return {
      ...parts,
      host: this.#host,
      get ending() {
        return AbortSignal.any([ending, parts.gone]);
      },
      optionalJson,
      json: async (shape) => {
        const body = await optionalJson(shape);
        if (body === undefined) throw invalid('invalid JSON: got EOF while reading request body');
        return body;
      },
    };
  }

  #failure(error: unknown): Extract<Answer, { kind: 'json' | 'empty' }> {
    const { status, message } = failureOf(error, this.#host);
    // "Not modified" has no body: https://www.rfc-editor.org/rfc/rfc9110#name-304-not-modified
    if (status === 304) return { kind: 'empty', status };
    const headers = error instanceof ServiceError ? error.headers : {};
    return { kind: 'json', status, body: { message }, headers };
  }
}
