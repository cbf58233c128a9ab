import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCachePlace } from './image-build.ts';

describe('the place of a build cache', () => {
  it('is an image, or a directory, which may have any name', () => {
    const read = (text: string) => parseCachePlace(text, '/project');
    assert.deepEqual(read('host:5000/app:cache'), { type: 'registry', target: 'host:5000/app:cache' });
    assert.deepEqual(read('type=registry,ref=app:cache,mode=max'), {
      type: 'registry',
      target: 'app:cache',
      mode: 'max',
    });
    assert.deepEqual(read('type=local,dest=/tmp/branch=main'), { type: 'local', target: '/tmp/branch=main' });
    assert.deepEqual(read('type=local,src=cache'), { type: 'local', target: '/project/cache' });
  });

  for (const text of [
    'type=gha',
    'type=local',
    'type=registry,ref=',
    'ref=app',
    'type=local,dest=x,mode=most',
    'type=local,dest=x,compression=zstd',
  ]) {
    it(`is not ${text}`, () => assert.equal(parseCachePlace(text, '/project'), undefined));
  }
});
