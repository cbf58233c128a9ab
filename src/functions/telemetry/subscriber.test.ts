import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { createSystemClock } from '../../base/system-clock.ts';
import { Subscriber } from './subscriber.ts';
import type { Subscription } from './subscription.ts';

const subscription: Subscription = {
  schemaVersion: '2022-12-13',
  types: ['function'],
  protocol: 'HTTP',
  port: 8080,
  path: '/',
  maxItems: 1_000,
  maxBytes: 262_144,
  timeoutMs: 100,
};

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('A telemetry subscriber', () => {
  it('gets a batch when the time of the clock has come, or the buffer is full', async () => {
    const clock = createSystemClock();
    clock.freeze();
    let arrived = (_batch: number[]): void => {};
    const next = () =>
      new Promise<number[]>((resolve) => {
        arrived = resolve;
      });
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        response.end();
        arrived(JSON.parse(Buffer.concat(parts).toString()) as number[]);
      });
    });
    const port = await listening(server);
    const subscriber = new Subscriber(subscription, clock, () => connect(port, '127.0.0.1'));
    let batch = next();
    subscriber.add('1');
    subscriber.add('2');
    clock.advance(99);
    subscriber.add('3');
    clock.advance(1);
    assert.deepEqual(await batch, [1, 2, 3]);
    await subscriber.flush();
    batch = next();
    for (let at = 0; at < 1_000; at++) subscriber.add('4');
    assert.equal((await batch).length, 1_000);
    subscriber.close();
    server.close();
    clock.close();
  });

  it('never holds more than twice its buffer, and tells what was dropped', async () => {
    const clock = createSystemClock();
    const bodies: string[] = [];
    let answer = (): void => {};
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        bodies.push(Buffer.concat(parts).toString());
        // The first one is left waiting until everything was said.
        if (bodies.length === 1) answer = () => response.end();
        else response.end();
        received();
      });
    });
    let received = (): void => {};
    const first = new Promise<void>((resolve) => {
      received = resolve;
    });
    const port = await listening(server);
    const subscriber = new Subscriber(subscription, clock, () => connect(port, '127.0.0.1'));
    const line = JSON.stringify('x'.repeat(1_022));
    for (let at = 0; at < 1_000; at++) subscriber.add(line);
    await first;
    for (let at = 0; at < 1_000; at++) subscriber.add(line);
    answer();
    await subscriber.flush();
    const events = bodies.flatMap((body) => JSON.parse(body) as (string | { type: string; record: object })[]);
    const kept = events.filter((event) => typeof event === 'string').length;
    assert.equal(kept, 512, 'two buffers of 256 KB');
    const dropped = events.filter((event) => typeof event !== 'string');
    assert.equal(dropped.length, 1);
    assert.partialDeepStrictEqual(dropped[0], {
      type: 'platform.logsDropped',
      record: { droppedRecords: 1_488, droppedBytes: 1_488 * 1_024 },
    });
    subscriber.close();
    server.close();
    clock.close();
  });

  it('gives up a batch that nobody ever takes, counting it as dropped', async () => {
    const clock = createSystemClock();
    clock.freeze();
    let attempts = 0;
    let attempted = (): void => {};
    const subscriber = new Subscriber(subscription, clock, () => {
      attempts++;
      queueMicrotask(() => attempted());
      throw new Error('ECONNREFUSED');
    });
    subscriber.add('1');
    const given = subscriber.flush();
    for (let round = 1; round < 10; round++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      assert.equal(attempts, round);
      const next = new Promise<void>((resolve) => {
        attempted = resolve;
      });
      clock.advance(5_000);
      await next;
    }
    await given;
    assert.equal(attempts, 10);
    subscriber.close();
    clock.close();
  });
});
