import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { RegistryAuth } from '../images.ts';
import { Endpoints } from './endpoints.ts';
import { type ConnectionGuard, HttpConnections } from './http-connection.ts';
import { RegistryClient } from './registry-client.ts';
import { answerError, RegistryAnswerError } from './registry-errors.ts';
import { DEFAULT_RETRIES } from './retry.ts';

export interface RegistryReaderOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly guard?: ConnectionGuard;
}

/** A repository of a registry, by the registry's base URL. */
export interface RemoteRepository {
  readonly url: string;
  readonly repository: string;
  readonly auth?: RegistryAuth | undefined;
}

/**
 * Reads other registries piece by piece, for who keeps the pieces himself. `undefined` is what is not there; throws
 * `RegistryAnswerError` and the errors of connections.
 */
export interface RegistryReader {
  manifest(
    from: RemoteRepository,
    reference: string,
  ): Promise<
    { readonly digest: string; readonly mediaType: string | undefined; readonly bytes: Uint8Array } | undefined
  >;
  /** Not verified. */
  blob(from: RemoteRepository, digest: string): Promise<IncomingMessage>;
  /** Resolves when the registry answers, and takes the credentials. */
  check(from: Omit<RemoteRepository, 'repository'>): Promise<void>;
  close(): void;
}

export function createRegistryReader({ clock, random, guard }: RegistryReaderOptions): RegistryReader {
  const connections = new HttpConnections(guard);
  const endpoints = new Endpoints({ connections, clock, locations: undefined });
  const open = async ({ url, repository, auth }: RemoteRepository) =>
    new RegistryClient({
      connections,
      endpoint: await endpoints.find(url, auth, undefined),
      path: repository,
      actions: 'pull',
      random,
      retries: DEFAULT_RETRIES,
      signal: undefined,
    });
  return {
    manifest: async (from, reference) => {
      try {
        return await (await open(from)).manifest(reference);
      } catch (error) {
        if (error instanceof RegistryAnswerError && error.status === 404) return undefined;
        throw error;
      }
    },
    blob: async (from, digest) => (await (await open(from)).openBlob(digest, 0)).body,
    check: async ({ url, auth }) => {
      const { authorizer, address } = await endpoints.find(url, auth, undefined);
      const authorization = await authorizer.header([]);
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
      const response = await connections.send(address, { method: 'GET', path: '/v2/', headers });
      if ((response.statusCode ?? 0) >= 300) throw await answerError(response, url);
      response.resume();
    },
    close: () => connections.close(),
  };
}
