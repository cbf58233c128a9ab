import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TrustedCertificates } from './trusted-certificates.ts';

/** Where requests of a host go. */
export interface Address {
  /** Scheme, host and port to connect to. */
  readonly origin: string;
  /** The Host header, when it is not the origin's. */
  readonly host?: string;
  /** Certificates to trust besides the system's, PEM. */
  readonly ca?: string;
}

export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream without a size is sent in chunks. */
  readonly body?: Uint8Array | { readonly stream: Readable; readonly size?: number };
  readonly signal?: AbortSignal | undefined;
}

/** Which machines may be connected to. */
export interface ConnectionGuard {
  /** A host name or address, as a URL has it. */
  allows(hostname: string): boolean;
  readonly lookup: LookupFunction;
}

/** A connection that says nothing for so long is given up. Measured with the machine's clock, since it is about real networks. */
const IDLE_MS = 60_000;

/** Speaks HTTP with registries over connections that are kept. Environment variables tell proxies, as they do for other programs. */
export class HttpConnections {
  readonly #certificates = new TrustedCertificates();
  readonly #guard: ConnectionGuard | undefined;
  readonly #http = new HttpAgent({ keepAlive: true, proxyEnv: process.env });
  readonly #https = new HttpsAgent({ keepAlive: true, proxyEnv: process.env });
  readonly #direct = new HttpAgent({ keepAlive: true });
  readonly #directTls = new HttpsAgent({ keepAlive: true });

  constructor(guard?: ConnectionGuard) {
    this.#guard = guard;
  }

  /** Sends a request; resolves with the answer's head. Its body must be read or destroyed. */
  async send(address: Address, { method, path, headers = {}, body, signal }: HttpRequest): Promise<IncomingMessage> {
    const url = new URL(address.origin);
    const guard = this.#guard;
    if (guard && !guard.allows(url.hostname)) throw new Error(`connections to ${url.hostname} are not allowed`);
    const secure = url.protocol === 'https:';
    const host = address.host ?? url.host;
    const direct = address.host !== undefined || isLoopback(url.hostname);
    const isRead = method === 'GET' || method === 'HEAD';
    const size = body instanceof Uint8Array ? body.length : body ? body.size : isRead ? undefined : 0;
    const options = {
      method,
      headers: {
        'user-agent': 'kobune',
        ...headers,
        host,
        ...(size !== undefined && { 'content-length': String(size) }),
      },
      path,
      agent: secure ? (direct ? this.#directTls : this.#https) : direct ? this.#direct : this.#http,
      timeout: IDLE_MS,
      ...(secure && {
        secureContext: await this.#certificates.context(address.ca),
        ...serverName(host),
      }),
      ...(guard && { lookup: guard.lookup }),
      ...(signal && { signal }),
    };
    return new Promise((resolve, reject) => {
      const request = (secure ? httpsRequest : httpRequest)(url, options, resolve);
      request.on('error', reject);
      request.on('timeout', () => request.destroy(new Error('the registry does not answer')));
      if (body === undefined) request.end();
      else if (body instanceof Uint8Array) request.end(body);
      // An answer that comes before the body was sent ends the sending; what went wrong otherwise is the request's error.
      else pipeline(body.stream, request).catch((error) => request.destroy(error as Error));
    });
  }

  close(): void {
    for (const agent of [this.#http, this.#https, this.#direct, this.#directTls]) agent.destroy();
  }
}

/** The name that a certificate is verified for; addresses are none. */
function serverName(host: string): { servername?: string } {
  const { hostname } = new URL(`https://${host}`);
  return /^[\d.]+$|^\[/.test(hostname) ? {} : { servername: hostname };
}

export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    hostname === '::1' ||
    /^127\.\d+\.\d+\.\d+$/.test(hostname)
  );
}

/** An answer that is larger than it may be. */
export class BodyTooLargeError extends Error {}

/** Reads an answer's body, which may not be larger than told. */
export async function readBody(response: IncomingMessage, maxSize: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxSize) {
      response.destroy();
      throw new BodyTooLargeError(`the registry's answer is larger than ${maxSize} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
