import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSeededRandom } from '../base/system-random.ts';
import { FrameDecoder, frame, fromRuntime, invokeHead, maxResponseBytes } from './frames.ts';

function decoder() {
  const seen: { type: number; body: string; oversize: boolean }[] = [];
  const violations: string[] = [];
  const decode = new FrameDecoder({
    frame: (type, body, oversize) => seen.push({ type, body: body.toString('latin1'), oversize }),
    violation: (reason) => violations.push(reason),
  });
  return { decode, seen, violations };
}

describe('frames from a runtime', () => {
  it('are the same however the bytes were cut', () => {
    const random = createSeededRandom(7);
    const bodies = Array.from({ length: 60 }, (_, n) => `${n}`.repeat(1 + Math.floor(random.fraction() * 200)));
    const bytes = Buffer.concat(bodies.map((body) => frame(fromRuntime.log, body)));
    for (let round = 0; round < 50; round++) {
      const { decode, seen, violations } = decoder();
      for (let at = 0; at < bytes.length; ) {
        const length = 1 + Math.floor(random.fraction() * (round < 10 ? 3 : 500));
        decode.push(bytes.subarray(at, at + length));
        at += length;
      }
      assert.deepEqual(
        seen.map((one) => one.body),
        bodies,
      );
      assert.deepEqual(violations, []);
    }
  });

  it('that are too long for a response are skipped, with what follows intact', () => {
    const big = frame(
      fromRuntime.response,
      Buffer.concat([Buffer.from([9, 0, 0, 0]), Buffer.alloc(maxResponseBytes + 1)]),
    );
    for (const cut of [1, 3, 7, 9, 10, 70_000]) {
      const { decode, seen } = decoder();
      const bytes = Buffer.concat([big, frame(fromRuntime.log, 'after')]);
      decode.push(bytes.subarray(0, cut));
      for (let at = cut; at < bytes.length; at += 1_000_000) decode.push(bytes.subarray(at, at + 1_000_000));
      assert.deepEqual(seen, [
        { type: fromRuntime.response, body: '\t\0\0\0', oversize: true },
        { type: fromRuntime.log, body: 'after', oversize: false },
      ]);
    }
  });

  it('of an unknown type, or too long, are a violation at once, and nothing follows', () => {
    for (const bytes of [
      Buffer.from([1, 0, 0, 0, 200]),
      Buffer.from([0, 0, 0, 0, fromRuntime.log]),
      Buffer.from([0xff, 0xff, 0xff, 0xff, fromRuntime.initError, 0, 0, 0, 0]),
      Buffer.from([0, 0, 0x10, 0, fromRuntime.ready, 0, 0, 0, 0]),
    ]) {
      const { decode, seen, violations } = decoder();
      for (const byte of bytes) decode.push(Buffer.from([byte]));
      decode.push(frame(fromRuntime.log, 'later'));
      assert.equal(violations.length, 1);
      assert.deepEqual(seen, []);
    }
  });

  it('made of random bytes never throw', () => {
    const random = createSeededRandom(11);
    for (let round = 0; round < 2_000; round++) {
      const { decode } = decoder();
      for (let part = 0; part < 5; part++)
        decode.push(Buffer.from(random.bytes(1 + Math.floor(random.fraction() * 40))));
    }
  });
});

describe('frames to a runtime', () => {
  it('carry an invocation with its payload as it is', () => {
    const head = invokeHead(3, '{"é":1}', 5);
    const whole = Buffer.concat([head, Buffer.from('12345')]);
    assert.equal(whole.readUInt32LE(0), whole.length - 4);
    assert.equal(whole.readUInt32LE(5), 3);
    const metadata = whole.readUInt32LE(9);
    assert.equal(whole.toString('utf8', 13, 13 + metadata), '{"é":1}');
    assert.equal(whole.toString('utf8', 13 + metadata), '12345');
  });
});
