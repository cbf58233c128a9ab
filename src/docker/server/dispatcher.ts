import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
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
import { acceptWebSocket } from './websocket.ts';

/** Brings requests to their operations and writes what these answer. */
export class Dispatcher {
  readonly #host: DockerHost;
  readonly #router: Router;
  readonly #ending = new AbortController();
  readonly #calls = new Set<AbortController>();
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

  /** Answers an ordinary request. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    this.#calls.add(gone);
    response.once('close', () => {
      this.#calls.delete(gone);
      if (!response.writableFinished) gone.abort(new Error('the client has gone'));
    });
    try {
      const answer = await this.#run(request, gone.signal);
      if (answer.kind === 'raw') await this.#runRaw(await takeConnection(request, response), answer, false);
      else if (answer.kind === 'websocket') throw invalid('the request must ask for an upgrade to websocket');
      else await writeAnswer(response, answer, this.#headers);
    } catch (error) {
      if (response.headersSent || response.destroyed || gone.signal.aborted) response.destroy();
      else await writeAnswer(response, this.#failure(error), this.#headers);
    }
    // What nobody wanted of a body is read away: until then the client may wait to send it, and cannot send anything else.
    if (!request.complete && !request.destroyed) request.resume();
  }

  /** Answers a request for an upgrade. Never rejects. */
  async upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    const gone = new AbortController();
    this.#calls.add(gone);
    connection.on('error', () => {});
    connection.once('close', () => {
      this.#calls.delete(gone);
      gone.abort(new Error('the client has gone'));
    });
    try {
      const answer = await this.#run(request, gone.signal);
      if (answer.kind === 'raw') await this.#runRaw(connection, answer, true);
      else if (answer.kind === 'websocket') await answer.run(acceptWebSocket(request, connection, this.#headers));
      else await writeInstead(connection, answer, this.#headers);
    } catch (error) {
      if (gone.signal.aborted) connection.destroy();
      else await writeInstead(connection, this.#failure(error), this.#headers).catch(() => connection.destroy());
    }
  }

  async #runRaw(connection: Duplex, answer: Extract<Answer, { kind: 'raw' }>, upgraded: boolean): Promise<void> {
    connection.write(openingOf(upgraded, answer.contentType, this.#headers));
    try {
      await answer.run(connection);
    } catch (error) {
      // The answer has begun: there is no way left to tell the client.
      this.#host.logger.debug('a raw connection failed', {
        error: error instanceof Error ? error.message : String(error),
      });
    }
    finish(connection);
  }

  async #run(request: IncomingMessage, gone: AbortSignal): Promise<Answer> {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const { api, path } = splitVersion(at < 0 ? url : url.slice(0, at));
    const { route, parameters } = this.#router.find(request.method ?? '', path, api);
    const query = new Query(at < 0 ? '' : url.slice(at + 1));
    return route.handle(this.#call({ api, parameters, query, request, gone }));
  }

  #call(parts: Pick<Call, 'api' | 'parameters' | 'query' | 'request' | 'gone'>): Call {
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
