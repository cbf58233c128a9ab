import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkPlatform, readPlatform, samePlatform } from './platform.ts';

describe('platforms', () => {
  it('are read as words and as JSON', () => {
    assert.deepEqual(readPlatform('linux/arm64/v8'), { os: 'linux', architecture: 'arm64', variant: 'v8' });
    assert.deepEqual(readPlatform('{"os":"linux","architecture":"amd64"}'), { os: 'linux', architecture: 'amd64' });
    assert.deepEqual(readPlatform('linux/x86_64'), { os: 'linux', architecture: 'amd64' });
    assert.deepEqual(readPlatform('arm64'), { os: 'linux', architecture: 'arm64' });
    assert.equal(readPlatform(''), undefined);
  });

  it('are refused where they are none', () => {
    for (const wrong of ['a/b/c/d', 'linux//v8', '{', '{"os":1}', '{"os":"linux","arch":"amd64"}']) {
      assert.throws(() => readPlatform(wrong), { status: 400 }, wrong);
    }
  });

  it('of 64-bit ARM are the same with and without their only variant', () => {
    const arm = { os: 'linux', architecture: 'arm64' };
    assert.ok(samePlatform({ ...arm, variant: 'v8' }, arm));
    assert.ok(
      !samePlatform(
        { os: 'linux', architecture: 'arm', variant: 'v7' },
        { os: 'linux', architecture: 'arm', variant: 'v6' },
      ),
    );
  });

  it('that an image does not have are not there', () => {
    const image = { os: 'linux', architecture: 'amd64' };
    checkPlatform('', 'busybox', image);
    checkPlatform('linux/amd64', 'busybox', image);
    assert.throws(() => checkPlatform('linux/arm64', 'busybox', image), {
      status: 404,
      message: /does not provide the specified platform \(linux\/arm64\)/,
    });
  });
});
