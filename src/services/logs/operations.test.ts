import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import * as sdk from '@aws-sdk/client-cloudwatch-logs';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSeededRandom } from '../../base/system-random.ts';
import { openMemoryStore } from '../../store/index.ts';
import { createLogs } from './index.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

describe('Logs operations', () => {
  it('are each either served or refused by name', async () => {
    const store = openMemoryStore();
    const clock = createSystemClock();
    const { service } = createLogs({ store, clock, random: createSeededRandom(), logger: silent });
    const known = Object.keys(sdk)
      .filter((name) => name.endsWith('Command') && name !== '$Command')
      .map((name) => name.slice(0, -'Command'.length))
      .sort();
    const answered = [...Object.keys(service.operations), ...Object.keys(service.refused)].sort();
    assert.deepEqual(answered, known);
    const page = await readFile(new URL('../../../docs/compatibility/logs.md', import.meta.url), 'utf8');
    for (const name of answered) assert.ok(page.includes(`\`${name}\``), `${name} is missing on the page`);
    await service.close?.();
    await store.close();
    clock.close();
  });
});
