import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { busyboxLayer } from '../test-support.ts';
import { gzip } from './gzip.ts';

/** Reads at most so much at once. */
async function packed(bytes: Uint8Array, most: number): Promise<Buffer> {
  let at = 0;
  const read = (buffer: Buffer) => {
    const part = bytes.subarray(at, at + Math.min(most, buffer.length));
    buffer.set(part);
    at += part.length;
    return part.length;
  };
  const parts: Uint8Array[] = [];
  for await (const part of gzip(read)) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

describe('gzip', () => {
  it('gives the same bytes however the content comes, which unpack to it', async () => {
    for (const size of [0, 1, 100, 524_287, 524_288, 524_289, 2_000_000]) {
      const bytes = Buffer.alloc(size, 'text ');
      const [one, two] = [await packed(bytes, 65_536), await packed(bytes, 1_000_003)];
      assert.ok(one.equals(two));
      assert.ok(gunzipSync(one).equals(bytes));
    }
  });

  it('stores what does not get smaller, and compresses what partly does', async () => {
    const noise = randomBytes(3 << 20);
    const text = Buffer.alloc(300_000, 'text ');
    const bytes = Buffer.concat([text, noise, text]);
    const own = await packed(bytes, 100_000);
    assert.ok(gunzipSync(own).equals(bytes));
    assert.ok(own.length < noise.length + 10_000, `${own.length}`);
  });

  it('is read by gzip, and hardly larger than what that makes', async () => {
    const bytes = busyboxLayer();
    const own = await packed(bytes, 300_000);
    assert.ok(execFileSync('gzip', ['-d'], { input: own, maxBuffer: 1e8 }).equals(bytes));
    const theirs = execFileSync('gzip', ['-6', '-n'], { input: bytes, maxBuffer: 1e8 });
    assert.ok(own.length < theirs.length * 1.1, `${own.length} against ${theirs.length}`);
  });
});
