import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Md5Thread } from './md5-thread.ts';

function shared(text: string): Uint8Array<SharedArrayBuffer> {
  const bytes = new Uint8Array(new SharedArrayBuffer(text.length));
  bytes.set(Buffer.from(text));
  return bytes;
}

describe('MD5 on a thread', () => {
  it('answers each of many questions with its own digest', async () => {
    const thread = new Md5Thread();
    const texts = Array.from({ length: 50 }, (_, i) => `${i}`.repeat(1 + i * 100));
    const digests = await Promise.all(texts.map((text) => thread.digest(shared(text))));
    assert.deepEqual(
      digests,
      texts.map((text) => hash('md5', text)),
    );
    await thread.close();
  });

  it('digests the part that it was given', async () => {
    const thread = new Md5Thread();
    assert.equal(await thread.digest(shared('..boat..').subarray(2, 6)), hash('md5', 'boat'));
    await thread.close();
  });

  it('fails what is under way when it is closed, and starts anew afterwards', async () => {
    const thread = new Md5Thread();
    const digest = thread.digest(shared('x'.repeat(1 << 20)));
    await Promise.all([assert.rejects(digest, /has ended/), thread.close()]);
    assert.equal(await thread.digest(shared('a')), hash('md5', 'a'));
    await thread.close();
  });
});
