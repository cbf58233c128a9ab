import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Store } from '../../../store/index.ts';
import { AUTHORIZING, authorizingKey, connectionKey, type Place } from '../records.ts';
import { send, tokenRequest } from './http-request.ts';
import { type ConnectionRecord, type Credentials, connectionArn } from './records.ts';
import type { ConnectionSecrets } from './secrets.ts';

export interface AuthorizationsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly secrets: ConnectionSecrets;
}

/** How long a token is good for whose server does not say. */
const DEFAULT_LIFETIME_SECONDS = 3600;
/** A token is asked for again this long before it ends. */
const MARGIN_MS = 10_000;

interface Token {
  readonly value: string;
  /** Epoch ms. */
  readonly until: number;
}

/** A token of a connection's present parameters. Those who ask at the same time wait for one answer. */
interface Asked {
  readonly generation: number;
  readonly token: Promise<Token>;
  /** Not yet known while it is asked for. */
  until: number;
}

/** A token that was not given, and why. */
export class AuthorizationError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'AuthorizationError';
  }
}

/** Authorizes connections: gets their OAuth tokens, keeps them while they are good, and tells the connection's state. */
export class Authorizations {
  readonly #options: AuthorizationsOptions;
  /** By the connection's ARN. */
  readonly #tokens = new Map<string, Asked>();
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(options: AuthorizationsOptions) {
    this.#options = options;
  }

  get secrets(): ConnectionSecrets {
    return this.#options.secrets;
  }

  /** Goes on with what an earlier run began. */
  async start(): Promise<void> {
    for (const { key } of await this.#options.store.range({ prefix: AUTHORIZING })) {
      const [account, region, name] = key.slice(AUTHORIZING.length) as [string, string, string];
      this.begin({ account, region }, name);
    }
  }

  /** Gets the first token of a connection, in the background. */
  begin(place: Place, name: string): void {
    const running = this.#authorize(place, name).catch((error) => {
      if (this.#abort.signal.aborted) return;
      this.#options.logger.error('a connection was not authorized', { connection: name, error: String(error) });
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#running);
  }

  /** The value of the `Authorization` header, if the connection has one. Throws AuthorizationError. */
  async header(place: Place, connection: ConnectionRecord, credentials: Credentials): Promise<string | undefined> {
    const { BasicAuthParameters: basic } = credentials;
    if (basic) return `Basic ${Buffer.from(`${basic.Username}:${basic.Password}`).toString('base64')}`;
    if (connection.type !== 'OAUTH_CLIENT_CREDENTIALS') return undefined;
    const { value } = await this.#token(place, connection, credentials);
    return `Bearer ${value}`;
  }

  /** The endpoint did not take the token: the next request asks for another. */
  forget(place: Place, connection: ConnectionRecord): void {
    this.#tokens.delete(connectionArn(place, connection));
  }

  #token(place: Place, connection: ConnectionRecord, credentials: Credentials): Promise<Token> {
    const arn = connectionArn(place, connection);
    const { generation } = connection;
    const known = this.#tokens.get(arn);
    if (known?.generation === generation && known.until > this.#options.clock.now()) return known.token;
    const token = this.#fetch(place, connection, credentials);
    const asked: Asked = { generation, token, until: Number.POSITIVE_INFINITY };
    this.#tokens.set(arn, asked);
    token.then(
      ({ until }) => {
        asked.until = until;
      },
      () => {
        if (this.#tokens.get(arn) === asked) this.#tokens.delete(arn);
      },
    );
    return token;
  }

  async #fetch({ account, region }: Place, connection: ConnectionRecord, credentials: Credentials): Promise<Token> {
    const { clock } = this.#options;
    const request = tokenRequest(credentials, connection.local);
    const asked = clock.now();
    const outcome = await send(
      request,
      {
        id: connection.id,
        enqueuedAt: asked,
        attempts: 0,
        source: 'events',
        targetArn: request.url,
        payload: request.body,
        account,
        region,
      },
      this.#abort.signal,
    );
    if (outcome.type !== 'delivered') throw new AuthorizationError(`The authorization endpoint: ${outcome.reason}.`);
    const { access_token: value, expires_in: lifetime } = read(outcome.response);
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
      throw new AuthorizationError('The authorization endpoint gave no access token.');
    }
    const seconds = Number(lifetime) > 0 ? Number(lifetime) : DEFAULT_LIFETIME_SECONDS;
    return { value, until: asked + Math.max(seconds * 1000 - MARGIN_MS, 1) };
  }

  async #authorize(place: Place, name: string): Promise<void> {
    const { clock, secrets, store } = this.#options;
    const connection = (await store.get<ConnectionRecord>(connectionKey(place, name)))?.value;
    if (connection?.state !== 'AUTHORIZING') return;
    const reason = await this.#firstToken(place, connection, await secrets.open(place, connection));
    if (this.#abort.signal.aborted) return;
    await store.transact(async (transaction) => {
      const current = (await transaction.get<ConnectionRecord>(connectionKey(place, name)))?.value;
      if (current?.id !== connection.id || current.generation !== connection.generation) return;
      const now = clock.now();
      transaction.delete(authorizingKey(place, name));
      transaction.put(
        connectionKey(place, name),
        reason === undefined
          ? { ...current, state: 'AUTHORIZED', reason: undefined, authorizedAt: now, modifiedAt: now }
          : { ...current, state: 'DEAUTHORIZED', reason, modifiedAt: now },
      );
    });
  }

  /** Why there is none; `undefined` when there is. */
  async #firstToken(
    place: Place,
    connection: ConnectionRecord,
    credentials: Credentials | undefined,
  ): Promise<string | undefined> {
    if (!credentials) return 'The connection has no credentials.';
    try {
      await this.#token(place, connection, credentials);
      return undefined;
    } catch (error) {
      if (error instanceof AuthorizationError) return error.message;
      throw error;
    }
  }
}

function read(response: Uint8Array | undefined): { readonly access_token?: unknown; readonly expires_in?: unknown } {
  try {
    return JSON.parse(Buffer.from(response ?? '').toString()) ?? {};
  } catch {
    return {};
  }
}
