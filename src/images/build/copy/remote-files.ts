import { lookup as systemLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { BlobLease, Key, Store } from '../../../store/index.ts';
import type { ContentStore } from '../../content.ts';
import { keyOf } from '../cache/cache-keys.ts';

/** A file that ADD has fetched. */
export interface RemoteFile {
  /** `sha256:…` */
  readonly digest: string;
  /** Host path. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch seconds: `Last-Modified`, 0 without one. */
  readonly modified: number;
}

interface KnownFile {
  readonly url: string;
  readonly digest: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly created: number;
  /** To the hour. */
  readonly lastUsed: number;
}

/** A file that is kept. */
export type KeptFile = Pick<KnownFile, 'url' | 'size' | 'created' | 'lastUsed'> & { readonly id: string };

const ROOM = 'build-cache';
const MAX_REDIRECTS = 10;
/** A use is written down when the last one was longer ago, ms. */
const USE_STEP = 3_600_000;
/** A server that says nothing for so long has gone. Measured with the machine's clock: it is about a real connection. */
const SILENCE_MS = 60_000;

/**
 * Files that ADD takes from the web. What has been fetched is kept, and asked for again only if it has changed
 * (`ETag`, `Last-Modified`); what a checksum names is not asked for at all when it is here.
 */
export class RemoteFiles {
  readonly #store: Store;
  readonly #content: ContentStore;
  readonly #now: () => number;

  constructor(store: Store, content: ContentStore, now: () => number) {
    this.#store = store;
    this.#content = content;
    this.#now = now;
  }

  /**
   * Fetches a file; it is held until the lease is released. `authorization`: a header for the address's own server. Throws an error
   * that says why it cannot be had.
   */
  async fetch(
    url: string,
    {
      checksum,
      authorization,
      signal,
    }: {
      readonly checksum: string | undefined;
      readonly authorization?: string | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<RemoteFile & BlobLease> {
    const key: Key = [ROOM, 'url', keyOf(url)];
    const known = (await this.#store.get<KnownFile>(key))?.value;
    const lease = known === undefined ? undefined : await this.#content.lease(known.digest);
    if (known !== undefined && lease !== undefined && known.digest === checksum)
      return await this.#answer(known, lease);
    const validators =
      known === undefined || lease === undefined
        ? {}
        : {
            ...(known.etag === undefined ? {} : { 'if-none-match': known.etag }),
            ...(known.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
          };
    let response: IncomingMessage;
    try {
      response = await get(new URL(url), { validators, authorization }, signal);
    } catch (error) {
      lease?.release();
      throw error;
    }
    if (response.statusCode === 304 && known !== undefined && lease !== undefined) {
      response.resume();
      if (checksum !== undefined && checksum !== known.digest) {
        lease.release();
        throw new Error(`${url} has the digest ${known.digest}, not ${checksum}`);
      }
      return await this.#reuse(key, known, lease);
    }
    lease?.release();
    if (response.statusCode !== 200) {
      response.destroy();
      throw new Error(`${url} answers ${response.statusCode} ${response.statusMessage}`);
    }
    return await this.#keep(url, key, response, { checksum, signal });
  }

  async #reuse(key: Key, file: KnownFile, lease: BlobLease): Promise<RemoteFile & BlobLease> {
    const now = this.#now();
    if (now - file.lastUsed > USE_STEP) {
      await this.#store.transact(async (transaction) => {
        const there = await transaction.get<KnownFile>(key);
        if (there !== undefined) transaction.put(key, { ...there.value, lastUsed: now });
      });
    }
    return await this.#answer(file, lease);
  }

  async #keep(
    url: string,
    key: Key,
    response: IncomingMessage,
    { checksum, signal }: { readonly checksum: string | undefined; readonly signal: AbortSignal },
  ) {
    const length = response.headers['content-length'];
    const size = length === undefined ? {} : { size: Number(length) };
    const blob = await this.#content.write(response, size).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw response.errored === null ? error : new Error(`${url}: ${response.errored.message}`);
    });
    if (checksum?.startsWith('sha256:') && checksum !== blob.digest) {
      blob.release();
      throw new Error(`${url} has the digest ${blob.digest}, not ${checksum}`);
    }
    const file: KnownFile = {
      url,
      digest: blob.digest,
      etag: response.headers.etag,
      lastModified: response.headers['last-modified'],
      size: blob.size,
      created: this.#now(),
      lastUsed: this.#now(),
    };
    const owner = key.map(String);
    await this.#store.transact(async (transaction) => {
      const before = (await transaction.get<KnownFile>(key))?.value;
      if (before !== undefined) this.#content.dereference(transaction, before.digest, owner);
      this.#content.reference(transaction, file.digest, owner);
      transaction.put(key, file);
    });
    return await this.#answer(file, blob);
  }

  async #answer(file: KnownFile, lease: BlobLease): Promise<RemoteFile & BlobLease> {
    const modified = Date.parse(file.lastModified ?? '');
    return {
      digest: file.digest,
      path: await this.#content.path(file.digest),
      size: file.size,
      modified: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000),
      release: () => lease.release(),
    };
  }

  async list(): Promise<readonly KeptFile[]> {
    const entries = await this.#store.range<KnownFile>({ prefix: [ROOM, 'url'] });
    return entries.map(({ key, value: { url, size, created, lastUsed } }) => {
      return { id: String(key[2]), url, size, created, lastUsed };
    });
  }

  /** Forgets a file; it goes with the next collection if nothing else has it. */
  async remove(id: string): Promise<void> {
    const key: Key = [ROOM, 'url', id];
    await this.#store.transact(async (transaction) => {
      const known = await transaction.get<KnownFile>(key);
      if (known === undefined) return;
      this.#content.dereference(transaction, known.value.digest, key.map(String));
      transaction.delete(key);
    });
  }
}

async function get(
  from: URL,
  {
    validators,
    authorization,
  }: { readonly validators: Readonly<Record<string, string>>; readonly authorization: string | undefined },
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let url = from;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error(`${url.href} is not an http(s) address`);
    // Another server is told nothing of what this one is told.
    const isTold = authorization !== undefined && url.origin === from.origin;
    const response = await send(url, isTold ? { ...validators, authorization } : validators, signal);
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
    response.resume();
    url = new URL(location, url);
  }
  throw new Error(`${from.href} redirects more than ${MAX_REDIRECTS} times`);
}

function send(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (isLinkLocal(url.hostname.replace(/^\[|\]$/g, ''))) {
      reject(new Error(`${url.hostname} is a link-local address: ADD does not reach those`));
      return;
    }
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, { headers: { 'user-agent': 'kobune', ...headers }, lookup: guardedLookup, signal });
    request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`${url.host} has been silent for too long`)));
    request.on('response', resolve);
    request.on('error', (error) => reject(signal.aborted ? signal.reason : new Error(`${url.href}: ${error.message}`)));
    request.end();
  });
}

/**
 * Resolves names as the system does, but not to link-local addresses: those are the machine's own services for its
 * credentials, which an image that was built by somebody else could ask for in its ONBUILD.
 */
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, '', 0);
    const allowed = addresses.filter(({ address }) => !isLinkLocal(address));
    const [first] = allowed;
    if (first === undefined) return callback(new Error(`${hostname} is a link-local address`), '', 0);
    if (options.all) return (callback as (error: null, all: typeof allowed) => void)(null, allowed);
    return callback(null, first.address, first.family);
  });
};

function isLinkLocal(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return address.startsWith('169.254.');
  return version === 6 && (/^fe[89ab]/i.test(address) || /^::ffff:(169\.254\.|a9fe:)/i.test(address));
}
