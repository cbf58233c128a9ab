import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import { createAccessKeyId } from '../access-key-id.ts';
import type { Credential } from '../authorization.ts';
import type { Principal } from '../service.ts';

const SECRET_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Expired sessions are deleted together, at most this often. */
const SWEEP_INTERVAL_MS = 60_000;

/** Temporary credentials as issued. The token is opaque; it is good only together with its key id. */
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly principal: Principal;
  /** Epoch ms. */
  readonly expiration: number;
}

const sessionKey = (accessKeyId: string) => ['sts', 'session', accessKeyId] as const;
const expiryKey = (session: Pick<Session, 'expiration' | 'accessKeyId'>) =>
  ['sts', 'expiry', session.expiration, session.accessKeyId] as const;

/** Temporary credentials: issued, found by key id, gone some time after they expire. */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  /** Issued but not on disk yet: found all the same. */
  readonly #unsaved = new Map<string, Session>();
  readonly #writes = new Set<Promise<unknown>>();
  #sweepTimer: Timer | undefined;
  #sweepAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(parts: { store: Store; clock: Clock; random: Random; logger: Logger }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#logger = parts.logger;
    this.#track(this.#scheduleNext());
  }

  /** Issues credentials for `principal` and waits until they are durable. */
  async issue(principal: Omit<Principal, 'accessKeyId'>, durationSeconds: number): Promise<Session> {
    const session = this.#make(principal, durationSeconds);
    await this.#save(session);
    return session;
  }

  /**
   * Issues credentials without waiting for the disk: for functions' environments, which die with this process, so
   * nobody can hold such credentials after a crash that lost them.
   */
  issueNow(principal: Omit<Principal, 'accessKeyId'>, durationSeconds: number): Session {
    const session = this.#make(principal, durationSeconds);
    this.#unsaved.set(session.accessKeyId, session);
    this.#track(this.#save(session).finally(() => this.#unsaved.delete(session.accessKeyId)));
    return session;
  }

  async find(accessKeyId: string): Promise<Credential | undefined> {
    return this.#unsaved.get(accessKeyId) ?? (await this.#store.get<Session>(sessionKey(accessKeyId)))?.value;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#sweepTimer?.cancel();
    await Promise.all(this.#writes);
  }

  #make(principal: Omit<Principal, 'accessKeyId'>, durationSeconds: number): Session {
    const accessKeyId = createAccessKeyId('ASIA', principal.account, this.#random);
    return {
      accessKeyId,
      secretAccessKey: this.#random.from(SECRET_ALPHABET, 40),
      sessionToken: `IQoJ${Buffer.from(this.#random.bytes(192)).toString('base64')}`,
      principal: { ...principal, accessKeyId },
      expiration: this.#clock.now() + durationSeconds * 1000,
    };
  }

  async #save(session: Session): Promise<void> {
    await this.#store.transact(async (transaction) => {
      transaction.put(sessionKey(session.accessKeyId), session);
      transaction.put(expiryKey(session), 1);
    });
    this.#scheduleAt(session.expiration);
  }

  #scheduleAt(expiration: number): void {
    const due = Math.max(expiration, this.#clock.now()) + SWEEP_INTERVAL_MS;
    if (this.#closed || due >= this.#sweepAt) return;
    this.#sweepTimer?.cancel();
    this.#sweepAt = due;
    this.#sweepTimer = this.#clock.at(due, () => {
      this.#sweepAt = Number.POSITIVE_INFINITY;
      this.#track(this.#sweep());
    });
  }

  async #scheduleNext(): Promise<void> {
    const [next] = await this.#store.range({ prefix: ['sts', 'expiry'], limit: 1 });
    if (next) this.#scheduleAt(next.key[2] as number);
  }

  async #sweep(): Promise<void> {
    const expired = await this.#store.range({
      prefix: ['sts', 'expiry'],
      before: ['sts', 'expiry', this.#clock.now()],
      limit: 1000,
    });
    if (expired.length > 0) {
      await this.#store.transact(async (transaction) => {
        for (const { key } of expired) {
          transaction.delete(key);
          transaction.delete(sessionKey(key[3] as string));
        }
      });
    }
    await this.#scheduleNext();
  }

  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch((error) => this.#logger.error('temporary credentials were not saved or swept', { error: String(error) }))
      .finally(() => this.#writes.delete(tracked));
    this.#writes.add(tracked);
  }
}
