import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { ServiceError } from '../base/errors.ts';
import { ecrRepository, isRepositoryName, parseEcrHost, parseEcrRepository } from '../images/index.ts';
import { type Route, readRoute } from './route.ts';

/** A request, as far as it can be understood from its line and headers. */
export class RegistryRequest {
  readonly message: IncomingMessage;
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
  /** Lower case, with the port if it has one. */
  readonly host: string;
  readonly #response: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(message: IncomingMessage, response: ServerResponse) {
    const target = message.url ?? '/';
    const mark = target.indexOf('?');
    this.message = message;
    this.#response = response;
    this.method = message.method ?? 'GET';
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
    this.host = (message.headers.host ?? 'localhost').toLowerCase();
    this.route = readRoute(this.path);
  }

  /** The repository's name in the client's words. */
  get name(): string {
    return 'name' in this.route ? this.route.name : '';
  }

  /** `http://localhost:4566` */
  get origin(): string {
    return `${this.secure ? 'https' : 'http'}://${this.host}`;
  }

  get secure(): boolean {
    return (this.message.socket as TLSSocket).encrypted === true;
  }

  get sourceIp(): string {
    const address = this.message.socket.remoteAddress ?? '0.0.0.0';
    return address.startsWith('::ffff:') ? address.slice(7) : address;
  }

  header(name: string): string | undefined {
    const value = this.message.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** Whether bytes are announced. */
  get hasBody(): boolean {
    const { 'content-length': length, 'transfer-encoding': encoding } = this.message.headers;
    return encoding !== undefined || Number(length ?? 0) > 0;
  }

  /** Aborted when the client goes away. */
  get signal(): AbortSignal {
    if (!this.#signal) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      this.#response.once('close', () => {
        if (!this.#response.writableFinished) controller.abort();
      });
    }
    return this.#signal;
  }

  /**
   * The repository's complete name. ECR's can be named in two ways: by the registry's host, or after this one's:
   * `localhost:4566/<account>.dkr.ecr.<region>.amazonaws.com/<name>`. Either host may be another of the registry's own: the
   * complete name has the one that ECR gives out. Throws `NAME_INVALID`.
   */
  repository(name: string = this.name): string {
    const host = parseEcrHost(this.host.replace(/:\d+$/, ''));
    const named = host ? { ...host, name } : parseEcrRepository(name);
    const complete = named ? ecrRepository(named, named.name) : name;
    if (isRepositoryName(name) && isRepositoryName(complete)) return complete;
    throw new ServiceError('NAME_INVALID', 'invalid repository name', {
      members: { detail: { name: name.slice(0, 300) } },
    });
  }
}
