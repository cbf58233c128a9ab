import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { ContentStore } from '../content.ts';
import type { RegistryAuth, RegistryLocations } from '../images.ts';
import { Turns } from '../layers/turns.ts';
import type { Reference } from '../references/reference.ts';
import { Endpoints } from './endpoints.ts';
import { HttpConnections } from './http-connection.ts';
import { RegistryClient } from './registry-client.ts';
import { answerError } from './registry-errors.ts';
import { DEFAULT_RETRIES, type RetryPolicy } from './retry.ts';
import { SharedDownloads } from './shared-downloads.ts';

export interface RegistriesOptions {
  readonly content: ContentStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly locations: RegistryLocations | undefined;
  readonly retries?: RetryPolicy;
}

export interface OpenOptions {
  readonly auth?: RegistryAuth | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Blobs on their way at once, over all pulls (and as many over all pushes), as many as Docker has. */
const MAX_DOWNLOADS = 3;
const MAX_UPLOADS = 5;

/** What pulls and pushes share: connections, authorizations, downloads. */
export class Registries {
  readonly downloads: SharedDownloads;
  readonly downloadTurns = new Turns(MAX_DOWNLOADS);
  readonly uploadTurns = new Turns(MAX_UPLOADS);
  readonly retries: RetryPolicy;
  readonly #options: RegistriesOptions;
  readonly #connections = new HttpConnections();
  readonly #endpoints: Endpoints;

  constructor(options: RegistriesOptions) {
    const { content, clock, locations, retries = DEFAULT_RETRIES } = options;
    this.#options = options;
    this.retries = retries;
    this.downloads = new SharedDownloads(content);
    this.#endpoints = new Endpoints({ connections: this.#connections, clock, locations });
  }

  /** Base URLs to pull from before the registry itself is asked. */
  mirrorsOf({ domain }: Reference): readonly string[] {
    return this.#options.locations?.mirrors?.(domain) ?? [];
  }

  /** The repository of a reference; `place` is the registry's name or a mirror's base URL. */
  async open(
    { path }: Reference,
    place: string,
    actions: 'pull' | 'pull,push',
    { auth, signal }: OpenOptions,
  ): Promise<RegistryClient> {
    const endpoint = await this.#endpoints.find(place, auth, signal);
    const { random } = this.#options;
    return new RegistryClient({
      connections: this.#connections,
      endpoint,
      path,
      actions,
      random,
      retries: this.retries,
      signal,
    });
  }

  /** Resolves when the registry answers, and takes the credentials. Throws `RegistryAnswerError` and errors of the connection. */
  async check(place: string, { auth, signal }: OpenOptions): Promise<void> {
    const { address, authorizer } = await this.#endpoints.find(place, auth, signal);
    const authorization = await authorizer.header([]);
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const response = await this.#connections.send(address, { method: 'GET', path: '/v2/', headers, signal });
    if ((response.statusCode ?? 0) >= 300) throw await answerError(response, place);
    response.resume();
  }

  close(): void {
    this.#connections.close();
  }
}
