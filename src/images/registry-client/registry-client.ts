import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { hasDigest, isDigest, sha256Of } from '../content/digest.ts';
import { ACCEPTED_MANIFESTS, MAX_MANIFEST_SIZE } from '../documents/parse-manifest.ts';
import type { Descriptor } from '../oci.ts';
import type { Endpoint } from './endpoints.ts';
import { type Address, type HttpConnections, type HttpRequest, readBody } from './http-connection.ts';
import { answerError, protocolError, RegistryAnswerError } from './registry-errors.ts';
import { Backoff, type RetryPolicy } from './retry.ts';

export interface RegistryClientOptions {
  readonly connections: HttpConnections;
  readonly endpoint: Endpoint;
  /** Repository at the registry. */
  readonly path: string;
  /** What is to be done with it: `pull`, or `pull,push`. */
  readonly actions: 'pull' | 'pull,push';
  readonly random: Random;
  readonly retries: RetryPolicy;
  readonly signal: AbortSignal | undefined;
}

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly mediaType: string | undefined;
  /** The one that it was asked for by; SHA-256 when that was a tag. */
  readonly digest: string;
}

/** An upload that has been begun: where it goes on. */
export interface UploadSession {
  readonly address: Address;
  readonly path: string;
  /** Another server takes the content, which is not shown the registry's authorization. */
  readonly foreign: boolean;
}

const MAX_REDIRECTS = 10;
const TAGS_PER_PAGE = 1000;
const MAX_TAGS = 100_000;
/** A registry may answer fewer tags in a page than it was asked for. */
const MAX_PAGES = 10_000;

/**
 * One repository of a registry. What fails for reasons that pass is tried again. Throws `RegistryAnswerError`, and errors of the
 * connection. Source: OCI Distribution Specification 1.1.
 */
export class RegistryClient {
  readonly #options: RegistryClientOptions;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
  }

  /** By tag or digest. Verified where a digest is told. */
  async manifest(reference: string): Promise<FetchedManifest> {
    // A tag has no colon.
    if (reference.includes(':') && !isDigest(reference)) {
      throw new ServiceError(
        'InvalidReference',
        `the digest ${reference} cannot be verified: it is of no supported kind`,
      );
    }
    const response = await this.#ask({
      method: 'GET',
      path: this.#path(`manifests/${reference}`),
      headers: { accept: ACCEPTED_MANIFESTS.join(', ') },
    });
    const bytes = await readBody(response, MAX_MANIFEST_SIZE);
    const told = response.headers['docker-content-digest'];
    for (const expected of [reference, told]) {
      if (isDigest(expected) && !hasDigest(bytes, expected)) {
        throw protocolError(`the registry answered a manifest with digest ${sha256Of(bytes)} instead of ${expected}`);
      }
    }
    const digest = isDigest(reference) ? reference : sha256Of(bytes);
    return { bytes, mediaType: response.headers['content-type'], digest };
  }

  /**
   * Opens a blob from byte `start` on; a single attempt. `signal` is heeded instead of the client's own: others may
   * wait for the same blob. The answer tells at which byte it begins: not every registry knows ranges.
   */
  async openBlob(
    digest: string,
    start: number,
    signal?: AbortSignal,
  ): Promise<{ readonly body: IncomingMessage; readonly start: number }> {
    const body = await this.#attempt({
      method: 'GET',
      path: this.#path(`blobs/${digest}`),
      headers: start > 0 ? { range: `bytes=${start}-` } : {},
      signal,
    });
    const range = /^bytes (\d+)-/.exec(body.headers['content-range'] ?? '');
    return { body, start: body.statusCode === 206 && range ? Number(range[1]) : 0 };
  }

  /** All tags of the repository. Source: OCI Distribution Specification 1.1, "Listing Tags". */
  async tags(): Promise<string[]> {
    const tags: string[] = [];
    const seen = new Set<string>();
    let path: string | undefined = this.#path(`tags/list?n=${TAGS_PER_PAGE}`);
    while (path !== undefined) {
      if (seen.has(path) || seen.size === MAX_PAGES) throw protocolError('the list of tags has no end');
      seen.add(path);
      const response: IncomingMessage = await this.#ask({ method: 'GET', path });
      tags.push(...readTags(await readBody(response, MAX_MANIFEST_SIZE)));
      if (tags.length > MAX_TAGS) throw protocolError(`the repository has more than ${MAX_TAGS} tags`);
      path = this.#nextPage(response.headers.link);
    }
    return tags;
  }

  async hasBlob(digest: string): Promise<boolean> {
    try {
      (await this.#ask({ method: 'HEAD', path: this.#path(`blobs/${digest}`) })).resume();
      return true;
    } catch (error) {
      if (error instanceof RegistryAnswerError && error.status === 404) return false;
      throw error;
    }
  }

  /** Begins an upload of what is not known in full yet. */
  async openUpload(signal: AbortSignal): Promise<UploadSession> {
    const response = await this.#ask({ method: 'POST', path: this.#path('blobs/uploads/'), signal });
    response.resume();
    return this.#session(response);
  }

  /**
   * Sends the content of an upload, however much it is, in one request that is not tried again; answers where the upload is
   * finished. As Docker pushes. Source: CNCF Distribution, "HTTP API V2", "Chunked Upload": streamed without a range.
   */
  async streamUpload(session: UploadSession, content: Readable, signal: AbortSignal): Promise<UploadSession> {
    const response = await this.#send(session.address, session.foreign, {
      method: 'PATCH',
      path: session.path,
      headers: { 'content-type': 'application/octet-stream' },
      body: { stream: content },
      signal,
    });
    if ((response.statusCode ?? 0) >= 300) throw await answerError(response, this.#name());
    response.resume();
    return response.headers.location === undefined ? session : this.#session(response);
  }

  /** Begins an upload, or has the registry take the blob from another of its repositories: then `undefined`. */
  async startUpload(digest: string, from: string | undefined): Promise<UploadSession | undefined> {
    const query = new URLSearchParams({ mount: digest, ...(from !== undefined && { from }) });
    const response = await this.#ask(
      { method: 'POST', path: this.#path(`blobs/uploads/?${query}`) },
      from === undefined ? [] : [`repository:${from}:pull`],
    );
    response.resume();
    return response.statusCode === 201 ? undefined : this.#session(response);
  }

  /** Finishes an upload with all of a blob in one request, or with what was sent before. */
  async finishUpload(
    session: UploadSession,
    digest: string,
    content?: { readonly stream: Readable; readonly size: number },
  ): Promise<void> {
    const separator = session.path.includes('?') ? '&' : '?';
    const response = await this.#send(session.address, session.foreign, {
      method: 'PUT',
      path: `${session.path}${separator}digest=${encodeURIComponent(digest)}`,
      headers: { 'content-type': 'application/octet-stream' },
      ...(content && { body: content }),
    });
    if (response.statusCode !== 201 && response.statusCode !== 204) throw await answerError(response, this.#name());
    response.resume();
  }

  async putManifest(reference: string, { mediaType }: Descriptor, bytes: Uint8Array): Promise<void> {
    const response = await this.#ask({
      method: 'PUT',
      path: this.#path(`manifests/${reference}`),
      headers: { 'content-type': mediaType },
      body: bytes,
    });
    response.resume();
  }

  /** Sends a request to the repository and resolves with an answer that is no error. */
  #ask(request: HttpRequest, moreScopes: readonly string[] = []): Promise<IncomingMessage> {
    const { retries, random, signal } = this.#options;
    return new Backoff(retries, random, signal).run(() => this.#attempt(request, moreScopes));
  }

  async #attempt(request: HttpRequest, moreScopes: readonly string[] = []): Promise<IncomingMessage> {
    const response = await this.#send(this.#options.endpoint.address, false, request, moreScopes);
    if ((response.statusCode ?? 0) >= 300) throw await answerError(response, this.#name());
    return response;
  }

  /** A refused authorization is renewed once, and redirections of reads are followed. */
  async #send(
    address: Address,
    foreign: boolean,
    request: HttpRequest,
    moreScopes: readonly string[] = [],
  ): Promise<IncomingMessage> {
    const { endpoint, connections, path, actions } = this.#options;
    const signal = request.signal ?? this.#options.signal;
    const { authorizer } = endpoint;
    const scopes = [`repository:${path}:${actions}`, ...moreScopes];
    for (let attempt = 1; ; attempt++) {
      const authorization = foreign ? undefined : await authorizer.header(scopes);
      const headers = { ...request.headers, ...(authorization !== undefined && { authorization }) };
      const response = await connections.send(address, { ...request, headers, signal });
      const canRepeat = request.body === undefined || request.body instanceof Uint8Array;
      if (response.statusCode === 401 && attempt === 1 && !foreign && canRepeat) {
        response.resume();
        authorizer.forget();
        authorizer.challenged(response.headers['www-authenticate'] ?? 'none');
        continue;
      }
      return isRead(request) && isRedirect(response)
        ? this.#follow(address, { ...request, headers }, response)
        : response;
    }
  }

  async #follow(address: Address, request: HttpRequest, first: IncomingMessage): Promise<IncomingMessage> {
    const { connections } = this.#options;
    const signal = request.signal ?? this.#options.signal;
    const headers: Record<string, string> = { ...request.headers };
    let response = first;
    let at = address;
    for (let count = 0; isRedirect(response); count++) {
      if (count === MAX_REDIRECTS) throw protocolError(`the registry redirects more than ${MAX_REDIRECTS} times`);
      response.destroy();
      const target = placeOf(response.headers.location!, at.origin);
      if (target.origin !== at.origin) {
        at = { origin: target.origin };
        // Whoever keeps the content has a signed address of its own, and is not shown the authorization.
        delete headers.authorization;
      }
      response = await connections.send(at, { ...request, headers, path: target.pathname + target.search, signal });
    }
    return response;
  }

  #nextPage(link: string | string[] | undefined): string | undefined {
    const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(link ?? '')) ?? [];
    if (target === undefined) return undefined;
    const { pathname, search } = placeOf(target, this.#options.endpoint.address.origin);
    return pathname + search;
  }

  #session(response: IncomingMessage): UploadSession {
    const { address } = this.#options.endpoint;
    const location = response.headers.location;
    if (!location) throw protocolError('the registry tells no place to upload to');
    const origin = new URL(address.origin);
    const target = placeOf(location, address.origin);
    // Behind a proxy, or when it is located elsewhere, a registry may call itself by the name that it is known by.
    const own = target.host === origin.host || target.host === address.host;
    return { address: own ? address : { origin: target.origin }, path: target.pathname + target.search, foreign: !own };
  }

  #path(rest: string): string {
    return `/v2/${this.#options.path}/${rest}`;
  }

  #name(): string {
    return `${this.#options.endpoint.address.origin}/v2/${this.#options.path}`;
  }
}

/** A place that an answer names, maybe relative to where it came from. */
function placeOf(text: string, base: string): URL {
  const url = URL.parse(text, base);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw protocolError(`the registry names a place that cannot be asked: ${text.slice(0, 200)}`);
  }
  return url;
}

function isRead({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

function isRedirect({ statusCode, headers }: IncomingMessage): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode ?? 0) && headers.location !== undefined;
}

function readTags(body: Buffer): string[] {
  let answer: { readonly tags?: unknown } | undefined;
  try {
    answer = JSON.parse(body.toString('utf8')) as typeof answer;
  } catch {
    // Told below.
  }
  const tags = answer?.tags ?? [];
  if (answer === undefined || !Array.isArray(tags) || tags.some((tag) => typeof tag !== 'string')) {
    throw protocolError('the registry answered no list of tags');
  }
  return tags as string[];
}
