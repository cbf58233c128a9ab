import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/json-logger.ts';
import { stopEach } from './stop-each.ts';

describe('stopping', () => {
  it('goes on in order after a part that fails, and says which', async () => {
    const stopped: string[] = [];
    const warned: unknown[] = [];
    const logger = { ...silentLogger, warn: (_message: string, fields?: object) => warned.push(fields) };
    const failed = await stopEach(
      [
        { what: 'a', stop: async () => stopped.push('a') },
        { what: 'b', stop: () => Promise.reject(new Error('stuck')) },
        {
          what: 'c',
          stop: () => {
            throw new Error('broken');
          },
        },
        { what: 'd', stop: () => stopped.push('d') },
      ],
      logger,
    );
    assert.deepEqual(stopped, ['a', 'd']);
    assert.deepEqual(failed, ['b: stuck', 'c: broken']);
    assert.deepEqual(warned, [
      { what: 'b', error: 'stuck' },
      { what: 'c', error: 'broken' },
    ]);
  });
});
