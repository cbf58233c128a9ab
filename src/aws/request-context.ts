import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Principal, RequestContext } from '../services/index.ts';
import type { WireRequest } from './routing/wire-request.ts';

/** What an operation is told about its request. Costly parts are made when first asked for. */
export class WireContext implements RequestContext {
  readonly service: string;
  readonly operation: string;
  readonly account: string;
  readonly region: string;
  readonly requestId: string;
  readonly principal: Principal;
  readonly responseHeaders: Record<string, string> = {};
  readonly #request: WireRequest;
  readonly #response: ServerResponse;
  #signal: AbortSignal | undefined;

  constructor(
    request: WireRequest,
    response: ServerResponse,
    about: {
      service: string;
      operation: string;
      account: string;
      region: string;
      requestId: string;
      principal: Principal;
    },
  ) {
    this.service = about.service;
    this.operation = about.operation;
    this.account = about.account;
    this.region = about.region;
    this.requestId = about.requestId;
    this.principal = about.principal;
    this.#request = request;
    this.#response = response;
  }

  /** `0.0.0.0` when the client has gone before anybody asked: what is only for this machine's own clients is not for it. */
  get sourceIp(): string {
    const address = this.#request.message.socket.remoteAddress ?? '0.0.0.0';
    return address.startsWith('::ffff:') ? address.slice(7) : address;
  }

  get userAgent(): string {
    return this.#request.headers['user-agent'] ?? '';
  }

  get secure(): boolean {
    return (this.#request.message.socket as TLSSocket).encrypted === true;
  }

  get headers(): IncomingHttpHeaders {
    return this.#request.headers;
  }

  get host(): string {
    return this.#request.host;
  }

  get signal(): AbortSignal {
    if (!this.#signal) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      const response = this.#response;
      if (response.destroyed && !response.writableFinished) controller.abort();
      else {
        response.once('close', () => {
          if (!response.writableFinished) controller.abort();
        });
      }
    }
    return this.#signal;
  }
}
