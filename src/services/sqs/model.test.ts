import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../../base/errors.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { TestSqs } from './test-sqs.ts';

const STEPS = 600;
const GROUPS = 3;

interface Held {
  readonly body: string;
  readonly handle: string;
  /** Epoch ms. */
  readonly until: number;
}

/** Does this and that with a queue, and keeps a record of its own of what must be there. */
class Model {
  readonly #world: TestSqs;
  readonly #queue: string;
  readonly #random;
  /** Not deleted, in the order in which they were sent. */
  readonly #kept = new Map<string, { readonly group: string; shownAt: number; receives: number }>();
  #held: Held[] = [];
  #next = 1;

  constructor(world: TestSqs, queue: string, seed: number) {
    this.#world = world;
    this.#queue = queue;
    this.#random = createSeededRandom(seed);
  }

  #pick(below: number): number {
    return Math.floor(this.#random.fraction() * below);
  }

  async step(): Promise<void> {
    const step = [this.#send, this.#send, this.#receive, this.#receive, this.#delete, this.#change, this.#wait];
    await step[this.#pick(step.length)]!.call(this);
    await this.check();
    if (this.#pick(40) === 0) this.#world.restart();
  }

  get #now(): number {
    return this.#world.clock.now();
  }

  get #fifo(): boolean {
    return this.#queue.endsWith('.fifo');
  }

  async #send(): Promise<void> {
    const body = String(this.#next++);
    const group = `g${this.#pick(GROUPS)}`;
    const delay = this.#fifo || this.#pick(3) > 0 ? 0 : this.#pick(10);
    const more = this.#fifo ? { MessageGroupId: group, MessageDeduplicationId: body } : { DelaySeconds: delay };
    await this.#world.send(this.#queue, body, more);
    this.#kept.set(body, { group, shownAt: this.#now + delay * 1000, receives: 0 });
  }

  async #receive(): Promise<void> {
    const [maximum, seconds] = [1 + this.#pick(10), this.#pick(20)];
    const options = { MaxNumberOfMessages: maximum, VisibilityTimeout: seconds };
    const expected = this.#fifo ? undefined : this.#visible().slice(0, maximum);
    const blocked = this.#blockedGroups();
    const received = await this.#world.receive(this.#queue, options);
    if (expected) assert.deepEqual(received.map(({ Body }) => Body).sort(), expected.sort());
    else
      assert.equal(
        received.length > 0,
        this.#visible().some((body) => !blocked.has(this.#kept.get(body)!.group)),
      );
    for (const { Attributes, Body, ReceiptHandle } of received) {
      const message = this.#kept.get(Body)!;
      if (this.#fifo) this.#checkOrder(Body, blocked);
      message.receives += 1;
      message.shownAt = this.#now + seconds * 1000;
      assert.equal(Attributes.ApproximateReceiveCount, String(message.receives));
      this.#held = this.#held.filter(({ body }) => body !== Body);
      this.#held.push({ body: Body, handle: ReceiptHandle, until: message.shownAt });
    }
  }

  /** All before it in its group are received in the same breath or gone; none of the group was in flight. */
  #checkOrder(body: string, blocked: ReadonlySet<string>): void {
    const { group } = this.#kept.get(body)!;
    assert.ok(!blocked.has(group), `${body}: ${group} is blocked`);
    for (const [other, { group: theirs, shownAt }] of this.#kept) {
      if (other === body) return;
      assert.ok(theirs !== group || shownAt >= this.#now, `${other} comes before ${body}`);
    }
  }

  #visible(): string[] {
    return [...this.#kept].filter(([, { shownAt }]) => shownAt <= this.#now).map(([body]) => body);
  }

  #blockedGroups(): ReadonlySet<string> {
    return new Set([...this.#kept.values()].filter(({ shownAt }) => shownAt > this.#now).map(({ group }) => group));
  }

  async #delete(): Promise<void> {
    const [held] = this.#held.splice(this.#pick(this.#held.length), 1);
    if (!held) return;
    const expired = this.#fifo && held.until <= this.#now;
    try {
      await this.#world.delete(this.#queue, held.handle);
      assert.ok(!expired);
      this.#kept.delete(held.body);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      assert.ok(expired, error.message);
    }
  }

  async #change(): Promise<void> {
    const [held] = this.#held.splice(this.#pick(this.#held.length), 1);
    if (!held) return;
    const seconds = this.#pick(15);
    const expired = held.until <= this.#now;
    try {
      await this.#world.hide(this.#queue, held.handle, seconds);
      assert.ok(!expired);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      assert.equal(error.code, 'MessageNotInflight');
      assert.ok(expired);
      this.#held.push(held);
      return;
    }
    const until = this.#now + seconds * 1000;
    this.#kept.get(held.body)!.shownAt = until;
    this.#held.push({ ...held, until });
  }

  async #wait(): Promise<void> {
    this.#world.seconds(this.#pick(8));
  }

  async check(): Promise<void> {
    const messages = [...this.#kept.values()];
    const hidden = messages.filter(({ shownAt }) => shownAt > this.#now);
    const inFlight = hidden.filter(({ receives }) => receives > 0).length;
    const expected = [messages.length - hidden.length, inFlight, hidden.length - inFlight];
    assert.deepEqual(await this.#world.counts(this.#queue), expected);
  }
}

describe('SQS, whatever is done with it', () => {
  for (const queue of ['plain', 'ordered.fifo']) {
    it(`keeps what it must, with ${queue}`, async () => {
      for (let seed = 1; seed <= 5; seed += 1) {
        const world = new TestSqs();
        const fast = { DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' };
        await world.create(queue, queue.endsWith('.fifo') ? fast : {});
        const model = new Model(world, queue, seed);
        for (let step = 0; step < STEPS; step += 1) await model.step();
        await world.close();
      }
    });
  }
});
