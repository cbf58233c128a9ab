import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as sqs from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { KillableKobune } from '../support/killable-kobune.ts';
import { FUNCTION_TIMEOUT_S, type Queue, QueueFunctions } from '../support/queue-functions.ts';

const MESSAGES = 300;

/** A function that tells the queue that is returned of each message. */
async function deployAndSend(kobune: KillableKobune, bodies: readonly string[]): Promise<Queue> {
  using world = new QueueFunctions(kobune.settings());
  const seen = await world.queue('seen');
  const work = await world.queue('work', { VisibilityTimeout: String(FUNCTION_TIMEOUT_S) });
  await world.relay('relay', seen);
  await world.map('relay', work);
  for (let from = 0; from < bodies.length; from += 10) {
    await world.sqs.send(
      new sqs.SendMessageBatchCommand({
        QueueUrl: work.url,
        Entries: bodies.slice(from, from + 10).map((MessageBody, n) => ({ Id: String(n), MessageBody })),
      }),
    );
  }
  return seen;
}

describe('An event source mapping when Kobune is killed', () => {
  it('gives the function every message that was accepted', { timeout: 60_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-mapping-crash-'));
    try {
      const bodies = Array.from({ length: MESSAGES }, (_, n) => `message ${n}`);
      await using first = await KillableKobune.start(directory);
      const seen = await deployAndSend(first, bodies);
      await first.kill();
      // At the same port: the function has been told the queue's URL.
      await using second = await KillableKobune.start(directory, first.port);
      // What was being handled when it was killed is hidden until its time is up.
      await moveClock(second, FUNCTION_TIMEOUT_S * 1000);
      using world = new QueueFunctions(second.settings());
      const missing = new Set(bodies);
      while (missing.size > 0) {
        const { Records } = await world.event(seen);
        for (const { body } of Records) missing.delete(body);
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
