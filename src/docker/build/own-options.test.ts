import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { progressMessage, readOwnOptions } from './own-options.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe("Kobune's own build options", () => {
  it('are none without the header', () => {
    assert.deepEqual(readOwnOptions(undefined), { build: {}, prepared: undefined, events: false });
  });

  it('are read', () => {
    const { build, prepared, events } = readOwnOptions(
      encode({
        secrets: { token: Buffer.from('x').toString('base64') },
        ssh: { default: '/run/agent.sock' },
        cacheFrom: [{ target: 'host/a' }],
        cacheTo: [{ type: 'local', target: '/cache', mode: 'max' }],
        context: '/src',
        dockerfile: { text: 'FROM x', name: 'Dockerfile' },
        ignore: '*.log',
        sourceDateEpoch: 5,
        events: true,
      }),
    );
    assert.deepEqual(build.secrets, new Map([['token', Buffer.from('x')]]));
    assert.deepEqual(build.ssh, new Map([['default', '/run/agent.sock']]));
    assert.deepEqual(build.cacheFrom, [{ type: 'registry', target: 'host/a' }]);
    assert.deepEqual(build.cacheTo, [{ type: 'local', target: '/cache', mode: 'max' }]);
    assert.equal(build.sourceDateEpoch, 5);
    assert.deepEqual(prepared, {
      context: { directory: '/src' },
      dockerfile: { text: 'FROM x', name: 'Dockerfile' },
      ignore: '*.log',
    });
    assert.equal(events, true);
  });

  for (const [name, value, message] of [
    ['no JSON', undefined, /is not JSON in base64/],
    ['unknown members', { secret: { a: 'b' } }, /secret/],
    ['a relative context', { context: 'src', dockerfile: { text: '', name: 'D' } }, /must be an absolute path/],
    ['a context without a Dockerfile', { context: '/src' }, /needs the text of the Dockerfile/],
    ['a relative socket', { ssh: { default: 'agent' } }, /absolute paths/],
    ['a cache of another type', { cacheTo: [{ type: 's3', target: 'x' }] }, /are not supported/],
    ['a cache without a target', { cacheTo: [{ type: 'registry' }] }, /needs a target/],
  ] as const) {
    it(`are refused when they have ${name}`, () => {
      assert.throws(() => readOwnOptions(value === undefined ? '%%%' : encode(value)), { message });
    });
  }

  it('may ask for the messages of a build as they are', () => {
    const step = { number: 1, total: 2, stage: '0', text: 'RUN x', line: 3 };
    assert.deepEqual(progressMessage({ kind: 'output', step, stream: 'stdout', bytes: Buffer.from('hi') }), {
      progress: { kind: 'output', step, stream: 'stdout', bytes: 'aGk=' },
    });
    assert.deepEqual(progressMessage({ kind: 'step', step, state: 'started' }), {
      progress: { kind: 'step', step, state: 'started' },
    });
  });
});
