import { setTimeout as wait } from 'node:timers/promises';
import type { Transaction } from '../../../store/index.ts';
import { ALL_SECRETS, type SecretPlace, type SecretRecord, secretKey } from '../records.ts';
import { type SecretsState, saveSecret } from '../state.ts';
import { completed, failed, tried } from './job.ts';

const STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
/** How long `close` waits for steps under way, real milliseconds; what they were at is begun again at the next start. */
const CLOSE_GRACE_MS = 5000;

/** Runs rotations: the four steps of a function, one after the other. */
export class RotationRunner {
  readonly #state: () => SecretsState;
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(state: () => SecretsState) {
    this.#state = state;
  }

  /** Begins a try of the secret's rotation and returns when that is written; the steps go on by themselves. */
  async launch(place: SecretPlace): Promise<void> {
    const secret = await this.#change(place, (current) =>
      current.job && !current.job.running
        ? { ...current, job: { ...current.job, running: true, next: undefined } }
        : undefined,
    );
    if (!secret) return;
    const work = this.#run(place, secret)
      .catch((error) => {
        if (!this.#closed)
          this.#state().logger.error('a rotation broke off', { secret: secret.arn, error: String(error) });
      })
      .finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Rotations that a previous run left under way are to be tried again now. */
  async resume(): Promise<void> {
    const { store, clock } = this.#state();
    for (const { key, value } of await store.range<SecretRecord>({ prefix: ALL_SECRETS })) {
      if (!value.job?.running) continue;
      const [account, region, name] = key.slice(ALL_SECRETS.length) as [string, string, string];
      await this.#change({ account, region, name }, (secret) =>
        secret.job?.running ? { ...secret, job: { ...secret.job, running: false, next: clock.now() } } : undefined,
      );
    }
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const timeout = new AbortController();
    await Promise.race([this.idle(), wait(CLOSE_GRACE_MS, undefined, { signal: timeout.signal }).catch(() => {})]);
    timeout.abort();
  }

  async #run(place: SecretPlace, { arn, job, rotation }: SecretRecord): Promise<void> {
    const { kind, token, rotationToken } = job!;
    const isCurrent = (secret: SecretRecord | undefined) =>
      secret?.arn === arn && secret.job?.rotationToken === rotationToken;
    const { store, functions, logger, clock } = this.#state();
    const caller = { service: 'secretsmanager.amazonaws.com', sourceArn: arn, sourceAccount: place.account };
    let failure: string | undefined;
    for (const step of kind === 'test' ? (['testSecret'] as const) : STEPS) {
      if (this.#closed || !isCurrent((await store.get<SecretRecord>(secretKey(place)))?.value)) return;
      const event = { Step: step, SecretId: arn, ClientRequestToken: token, RotationToken: rotationToken };
      failure = await attempt(async () => {
        const { functionError, payload } = await functions.invoke(
          rotation!.functionArn,
          Buffer.from(JSON.stringify(event)),
          caller,
        );
        return functionError === undefined ? undefined : `${functionError}: ${Buffer.from(payload).toString('utf8')}`;
      });
      if (failure !== undefined) {
        logger.warn('a step of a rotation failed', {
          secret: arn,
          step,
          function: rotation!.functionArn,
          error: failure,
        });
        break;
      }
    }
    if (this.#closed) return;
    await this.#change(place, (secret, transaction) => {
      if (!isCurrent(secret)) return undefined;
      if (kind === 'test') return tried(secret, transaction);
      const done = failure === undefined ? completed(secret, transaction, clock.now()) : undefined;
      if (!done && failure === undefined) {
        logger.warn('a rotation is not complete: AWSPENDING is left at a version that is not current', { secret: arn });
      }
      return done ?? failed(secret, clock.now());
    });
  }

  /** Rewrites the secret unless it is gone, marked for deletion, or `change` returns nothing. */
  async #change(
    place: SecretPlace,
    change: (secret: SecretRecord, transaction: Transaction) => SecretRecord | undefined,
  ): Promise<SecretRecord | undefined> {
    const state = this.#state();
    let due: number | undefined;
    const changed = await state.store.transact(async (transaction) => {
      const before = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
      const after = before && change(before, transaction);
      if (after) due = saveSecret(state, transaction, place, after, before);
      return after;
    });
    state.agenda.changed(due);
    return changed;
  }
}

/** What went wrong; `undefined` when nothing did. */
async function attempt(step: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await step();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}
