import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { InvalidScheduleError, parseScheduleExpression, type ScheduleExpression } from '../../events/index.ts';
import type { Store, Transaction } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import { type EventEnvelope, envelopeText, eventTime } from './envelope.ts';
import { invalidParameter } from './errors.ts';
import { activate, type BusEvent } from './invocation.ts';
import type { Publisher } from './publisher.ts';
import { nextKey, RULES_DUE, RULES_HORIZON, type RuleId, type RuleRecord, ruleArn, ruleKey } from './records.ts';

export interface ScheduledRulesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly publisher: Publisher;
}

/** Times of one rule that one transaction invokes. */
const BATCH = 200;
/** Later than this, it is catching up: the clock was moved, or the process was not running. */
const CATCHING_UP_MS = 60_000;

/**
 * Invokes the targets of rules with a schedule. What is due is in the store, so one timer waits for the first of them; the
 * invocations and the rule's next time are written together, so each time is invoked exactly once. When the clock jumps,
 * each time in between is invoked; of the times that came while nothing ran, only the first is.
 */
export class ScheduledRules {
  readonly #options: ScheduledRulesOptions;
  readonly #agenda: Agenda;
  /** The times after the first of these (exclusive) up to the second came while nothing ran. */
  #missed = { after: 0, until: 0 };
  #closed = false;

  constructor(options: ScheduledRulesOptions) {
    this.#options = options;
    this.#agenda = new Agenda({ ...options, prefix: RULES_DUE, run: (item, due) => this.#run(item, due) });
  }

  async start(): Promise<void> {
    const horizon = (await this.#options.store.get<number>(RULES_HORIZON))?.value ?? 0;
    this.#missed = { after: horizon, until: this.#options.clock.now() };
    await this.#agenda.start();
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#agenda.close();
  }

  /** Writes down when the rule comes next, or that it does not. Call `expect` with the answer once that is durable. */
  async put(transaction: Transaction, id: RuleId, rule: RuleRecord | undefined): Promise<number | undefined> {
    const { schedule, state } = rule ?? {};
    const now = this.#options.clock.now();
    const next =
      schedule === undefined || state !== 'ENABLED' ? undefined : parseSchedule(schedule).next(now, rule!.anchor);
    await this.#move(transaction, id, next);
    return next;
  }

  /** A rule is due at this time. */
  expect(time: number | undefined): void {
    this.#agenda.changed(time);
  }

  async #move(transaction: Transaction, id: RuleId, to: number | undefined): Promise<void> {
    const from = (await transaction.get<number>(nextKey(id)))?.value;
    this.#agenda.move(transaction, itemOf(id), from, to);
    if (to !== undefined) transaction.put(nextKey(id), to);
    else if (from !== undefined) transaction.delete(nextKey(id));
  }

  async #run([account, region, bus, rule]: readonly string[], due: number): Promise<void> {
    const id: RuleId = { account: account!, region: region!, bus: bus!, rule: rule! };
    let next: number | undefined = due;
    while (next !== undefined && next <= this.#options.clock.now() && !this.#closed) {
      next = await this.#options.store.transact((transaction) => this.#invoke(transaction, id));
    }
  }

  /** Invokes a batch of the times that are due; the next one is returned. */
  async #invoke(transaction: Transaction, id: RuleId): Promise<number | undefined> {
    const { clock, publisher } = this.#options;
    const rule = (await transaction.get<RuleRecord>(ruleKey(id)))?.value;
    let next = (await transaction.get<number>(nextKey(id)))?.value;
    if (!rule || rule.schedule === undefined || rule.state !== 'ENABLED') {
      await this.#move(transaction, id, undefined);
      return undefined;
    }
    const expression = parseSchedule(rule.schedule);
    const active = activate(id, rule);
    const now = clock.now();
    // A jump of the clock that the process's end interrupts is caught up with by the next run.
    if (next !== undefined && next < now - CATCHING_UP_MS && !this.#wasMissed(next)) {
      transaction.put(RULES_HORIZON, now);
    }
    for (let count = 0; count < BATCH && next !== undefined && next <= now; count += 1) {
      publisher.invoke(transaction, active, this.#event(id, next));
      next = expression.next(this.#wasMissed(next) ? this.#missed.until : next, rule.anchor);
    }
    await this.#move(transaction, id, next);
    return next;
  }

  #wasMissed(time: number): boolean {
    return time > this.#missed.after && time <= this.#missed.until;
  }

  /** Source: EventBridge User Guide, "Creating a scheduled rule": the targets get a `Scheduled Event`. */
  #event(id: RuleId, time: number): BusEvent {
    const { account, region } = id;
    const event: EventEnvelope = {
      version: '0',
      id: this.#options.random.uuid(),
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      account,
      time: eventTime(time),
      region,
      resources: [ruleArn(id)],
      detail: {},
    };
    return { event, text: envelopeText(event, '{}'), ingestedAt: this.#options.clock.now(), buses: 1 };
  }
}

/** `rate(…)` or `cron(…)` in UTC. Throws ValidationException. */
export function parseSchedule(text: string): ScheduleExpression {
  try {
    return parseScheduleExpression(text, { allow: ['rate', 'cron'] });
  } catch (error) {
    if (!(error instanceof InvalidScheduleError)) throw error;
    throw invalidParameter('ScheduleExpression', `${error.message}.`);
  }
}

const itemOf = ({ account, region, bus, rule }: RuleId): readonly string[] => [account, region, bus, rule];
