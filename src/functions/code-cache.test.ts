import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type EngineFixture, startEngine } from './test-support/engine-fixture.ts';

/** A source large enough for a cache. */
const padding = Array.from({ length: 3_000 }, (_, n) => `function f${n}(a) { return a + ${n}; }`).join('\n');

const cached = async (fixture: EngineFixture) =>
  (await readdir(join(fixture.directory, 'engine', 'code-cache')).catch(() => [])).filter((name) =>
    name.endsWith('.bin'),
  );

describe('the code cache', () => {
  it('is made when a large handler is deployed, and used', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec({
      'index.js': `${padding}\nexports.handler = async () => [f7(1), __filename, require.main === module, require("./other").x];`,
      'other.js': 'exports.x = 5',
    });
    await fixture.engine.prepare(spec);
    assert.equal((await cached(fixture)).length, 1);
    assert.deepEqual((await fixture.call(spec)).value, [8, '/var/task/index.js', false, 5]);
  });

  it('is made for ES modules', async () => {
    await using fixture = await startEngine();
    const spec = await fixture.spec(
      {
        'index.mjs': `${padding}\nconst late = await Promise.resolve(1);\nexport const handler = async () => f7(late);`,
      },
      { runtime: 'nodejs24.x' },
    );
    await fixture.engine.prepare(spec);
    assert.equal((await fixture.call(spec)).value, 8);
  });

  it('runs nothing of the handler', async () => {
    await using fixture = await startEngine();
    for (const [file, runtime] of [
      ['index.js', 'nodejs22.x'],
      ['index.mjs', 'nodejs24.x'],
    ] as const) {
      const spec = await fixture.spec({ [file]: `${padding}\nfor (;;);` }, { runtime });
      const started = performance.now();
      await fixture.engine.prepare(spec);
      assert.ok(performance.now() - started < 10_000, 'a loop at the top level would have hung it');
    }
  });

  it('is not made for code that cannot be compiled, which fails as it does without', async () => {
    await using fixture = await startEngine({ quiet: true });
    const spec = await fixture.spec({ 'index.js': `${padding}\nexports.handler = async () => {` });
    await fixture.engine.prepare(spec);
    assert.equal((await cached(fixture)).length, 0);
    assert.equal((await fixture.call(spec)).value.errorType, 'Runtime.UserCodeSyntaxError');
  });

  it('is not made for small handlers', async () => {
    await using fixture = await startEngine();
    await fixture.engine.prepare(await fixture.spec({ 'index.js': 'exports.handler = async () => 1' }));
    assert.equal((await cached(fixture)).length, 0);
  });
});
