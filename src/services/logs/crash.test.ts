import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { openLmdbStore } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { createLogs } from './index.ts';

const ROUNDS = 4;
const TARGET = { account: '000000000000', region: 'us-east-1', group: 'g' };

const urlOf = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Stores numbered events without end and tells each number that was acknowledged; appends lines besides. */
const WRITER = `
import { openLmdbStore } from ${urlOf('../../store/index.ts')};
import { createLogs } from ${urlOf('./index.ts')};
import { createSystemClock } from ${urlOf('../../base/system-clock.ts')};
import { createSystemRandom } from ${urlOf('../../base/system-random.ts')};
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const store = await openLmdbStore({ directory: process.argv[1] });
const clock = createSystemClock();
const logs = createLogs({ store, clock, random: createSystemRandom(), logger });
const context = { account: '000000000000', region: 'us-east-1' };
const call = (name, input) => logs.service.operations[name](input, context);
await call('CreateLogGroup', { logGroupName: 'g' }).catch(() => {});
await call('CreateLogStream', { logGroupName: 'g', logStreamName: 'puts' }).catch(() => {});
for (let number = Number(process.argv[2]); ; number++) {
  for (let line = 0; line < 5; line++) {
    logs.functionLogs.append('000000000000', 'us-east-1', 'g', 'lines', [{ timestamp: clock.now(), message: number + '.' + line }]);
  }
  await call('PutLogEvents', { logGroupName: 'g', logStreamName: 'puts', logEvents: [{ timestamp: clock.now(), message: String(number) }] });
  process.stdout.write(number + '\\n');
}
`;

/** Runs the writer from `first` on, kills it after `count` acknowledgements; resolves to the last number acknowledged. */
async function writeAndKill(directory: string, first: number, count: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, '--', directory, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let last = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last === first + count) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  return last;
}

describe('Logs when the process is killed', () => {
  it('hold every event that was acknowledged, and whole lines in order', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'logs-crash-'));
    try {
      const acknowledged: number[] = [];
      let first = 0;
      for (let round = 1; round <= ROUNDS; round++) {
        const last = await writeAndKill(directory, first, round * 23);
        for (let number = first; number <= last; number++) acknowledged.push(number);
        // Events stored but not acknowledged keep their numbers.
        first = last + 1000;
      }
      const store = await openLmdbStore({ directory });
      const clock = createSystemClock();
      const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
      const logs = createLogs({ store, clock, random: createSystemRandom(), logger });
      const read = async (streamPrefix: string): Promise<string[]> => {
        const messages: string[] = [];
        for await (const { message } of logs.tail(TARGET, { streamPrefix })) messages.push(message);
        return messages;
      };
      const puts = (await read('puts')).map(Number);
      assert.deepEqual(
        acknowledged.filter((number) => !puts.includes(number)),
        [],
      );
      assert.deepEqual(
        puts,
        puts.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(puts).size, puts.length);
      // Lines appended before an acknowledged event were stored with it or earlier.
      const lines = new Set(await read('lines'));
      for (const number of acknowledged) for (let line = 0; line < 5; line++) assert.ok(lines.has(`${number}.${line}`));
      const { logGroups } = (await logs.service.operations.DescribeLogGroups!(
        {} as never,
        { account: TARGET.account, region: TARGET.region } as RequestContext,
      )) as { logGroups: { storedBytes: number }[] };
      const bytes = [...puts.map(String), ...lines].reduce((sum, text) => sum + text.length + 26, 0);
      assert.equal(logGroups[0]?.storedBytes, bytes);
      await logs.service.close?.();
      await store.close();
      clock.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
