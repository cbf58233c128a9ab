import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { CommandError } from '../command-error.ts';
import { EXIT } from '../exit-codes.ts';
import { type DockerAddress, showAddress } from './address.ts';

type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface DockerRequest {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, such as the archive of a build's files. */
  readonly stream?: { readonly source: AsyncIterable<Uint8Array>; readonly type: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** What an engine said no with. */
export class DockerError extends CommandError {
  readonly status: number;
  constructor(status: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'DockerError';
    this.status = status;
  }
}

/** The newest version of the API whose members are used here. */
const NEWEST_API = 48;
const OLDEST_API = 41;

/** A small client of the Docker Engine API, over a unix socket or TCP. */
export class DockerClient {
  readonly address: DockerAddress;
  #api: Promise<number> | undefined;

  constructor(address: DockerAddress) {
    this.address = address;
  }

  /** Minor number of the API's version that both sides speak. Throws a `CommandError` when nobody is there. */
  api(): Promise<number> {
    this.#api ??= this.#negotiate();
    return this.#api;
  }

  async #negotiate(): Promise<number> {
    const response = await this.#send('GET', '/_ping', {});
    response.resume();
    const [, minor = ''] = /^1\.(\d+)$/.exec(String(response.headers['api-version'])) ?? [];
    const version = Math.min(NEWEST_API, Number(minor) || 0);
    if (version >= OLDEST_API) return version;
    throw new CommandError(
      `the engine at ${showAddress(this.address)} is too old: its API is not 1.${OLDEST_API} or newer`,
    );
  }

  /** The answer as JSON; `undefined` when it has no content. */
  async json<T>(method: string, path: string, request: DockerRequest = {}): Promise<T> {
    const response = await this.open(method, path, request);
    const text = await textOf(response);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The same; `undefined` when there is no such thing. */
  async find<T>(path: string, request: DockerRequest = {}): Promise<T | undefined> {
    try {
      return await this.json<T>('GET', path, request);
    } catch (error) {
      if (error instanceof DockerError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The answer as it comes. Throws a `DockerError` for a status that is no success, 304 (nothing to do) but excepted. */
  async open(method: string, path: string, request: DockerRequest = {}): Promise<IncomingMessage> {
    const response = await this.#send(method, `/v1.${await this.api()}${path}`, request);
    return succeeded(response);
  }

  /** The JSON values of an answer that come one after the other. */
  async *lines<T>(method: string, path: string, request: DockerRequest = {}): AsyncGenerator<T> {
    const response = await this.open(method, path, request);
    response.setEncoding('utf8');
    let rest = '';
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T;
    }
    if (rest.trim() !== '') yield JSON.parse(rest) as T;
  }

  /** A connection that carries bytes both ways once the engine has agreed: attach, exec. */
  async hijack(path: string, request: DockerRequest = {}): Promise<{ readonly socket: Socket; readonly head: Buffer }> {
    const api = await this.api();
    return new Promise((resolve, reject) => {
      const outgoing = this.#request('POST', `/v1.${api}${path}`, request, {
        connection: 'Upgrade',
        upgrade: 'tcp',
      });
      outgoing.on('upgrade', (_response, socket: Socket, head: Buffer) => resolve({ socket, head }));
      outgoing.on('response', (response) => {
        succeeded(response).then(() => reject(new DockerError(500, 'the engine did not open a stream')), reject);
      });
      outgoing.on('error', (error) => reject(this.#unreachable(error)));
      outgoing.end(request.body === undefined ? undefined : JSON.stringify(request.body));
    });
  }

  #send(method: string, path: string, request: DockerRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = this.#request(method, path, request, {});
      outgoing.on('response', resolve);
      outgoing.on('error', (error) => reject(request.signal?.aborted ? error : this.#unreachable(error)));
      if (request.stream !== undefined) {
        // The engine may answer before it has read all, with what is wrong; then its word counts, not the broken pipe.
        pipeline(request.stream.source, outgoing).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') outgoing.destroy(error);
        });
      } else outgoing.end(request.body === undefined ? undefined : JSON.stringify(request.body));
    });
  }

  #request(
    method: string,
    path: string,
    request: DockerRequest,
    more: Readonly<Record<string, string>>,
  ): ClientRequest {
    const { address } = this;
    const headers: Record<string, string> = { host: 'docker', ...request.headers, ...more };
    if (request.body !== undefined) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = String(Buffer.byteLength(JSON.stringify(request.body)));
    } else if (request.stream !== undefined) headers['content-type'] = request.stream.type;
    else if (method !== 'GET') headers['content-length'] = '0';
    const options: RequestOptions = {
      method,
      path: `${path}${queryText(request.query)}`,
      headers,
      agent: false,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    };
    if ('socketPath' in address) return httpRequest({ ...options, socketPath: address.socketPath });
    const { host, port, tls } = address;
    if (tls === undefined) return httpRequest({ ...options, host, port });
    const { ca, cert, key, verify } = tls;
    return httpsRequest({ ...options, host, port, ca, cert, key, rejectUnauthorized: verify });
  }

  #unreachable(error: NodeJS.ErrnoException): Error {
    const place = showAddress(this.address);
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return new CommandError(`no engine listens at ${place}`, {
        exitCode: EXIT.notRunning,
        hint: 'Start Kobune with "kobune up --detach", or name another engine with DOCKER_HOST.',
        cause: error,
      });
    }
    if (error.code === 'EACCES') {
      return new CommandError(`not allowed to use ${place}`, {
        hint: 'It is for the user who started Kobune.',
        cause: error,
      });
    }
    return new CommandError(`the connection to ${place} broke: ${error.message}`, { cause: error });
  }
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const one of value) parameters.append(name, one);
    else parameters.append(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

async function succeeded(response: IncomingMessage): Promise<IncomingMessage> {
  const status = response.statusCode ?? 0;
  if ((status >= 200 && status < 300) || status === 304) return response;
  const text = await textOf(response);
  throw new DockerError(status, messageOf(text) ?? `the engine answered ${status}`);
}

function messageOf(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return text.trim() || undefined;
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let all = '';
  for await (const chunk of response as AsyncIterable<string>) all += chunk;
  return all;
}
