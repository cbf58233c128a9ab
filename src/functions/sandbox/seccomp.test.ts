import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileFilter } from './seccomp.ts';
import { ARCHITECTURES, type Architecture } from './system-calls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (number: number) => 0x00050000 | number;
const EPERM = errno(1);
const ENOSYS = errno(38);
const EAFNOSUPPORT = errno(97);

/** Runs a filter as the kernel does (classic BPF), over one system call. */
function judge(program: Buffer, call: { arch: number; number: number; args?: readonly number[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.arch, 4);
  call.args?.forEach((value, index) => {
    data.writeUInt32LE(value >>> 0, 16 + 8 * index);
  });
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const value = program.readUInt32LE(at * 8 + 4);
    const jump = (taken: boolean) => {
      at += program.readUInt8(at * 8 + (taken ? 2 : 3));
    };
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0;
    else if (code === 0x15) jump(accumulator === value);
    else if (code === 0x35) jump(accumulator >= value);
    else if (code === 0x45) jump((accumulator & value) !== 0);
    else if (code === 0x06) return value;
    else throw new Error(`unknown instruction ${code}`);
  }
  throw new Error('ran off the end');
}

describe('system call filter', () => {
  const numbers = {
    x64: { read: 0, mount: 165, clone: 56, socket: 41, ioctl: 16, personality: 135 },
    arm64: { read: 63, mount: 40, clone: 220, socket: 198, ioctl: 29, personality: 92 },
  };
  for (const architecture of ['x64', 'arm64'] as const satisfies Architecture[]) {
    const program = compileFilter(architecture);
    const arch = ARCHITECTURES[architecture];
    const call = (number: number, ...args: number[]) => judge(program, { arch, number, args });
    const { read, mount, clone, socket, ioctl, personality } = numbers[architecture];

    it(`fits the kernel's limit on ${architecture}`, () => {
      assert.ok(program.length / 8 <= 4096);
    });

    it(`allows ordinary calls and refuses administrators' on ${architecture}`, () => {
      assert.equal(call(read), ALLOW);
      assert.equal(call(mount), EPERM);
      assert.equal(call(442), EPERM);
      assert.equal(call(435), ENOSYS);
      assert.equal(call(425), ENOSYS);
    });

    it(`allows threads and processes but no namespaces on ${architecture}`, () => {
      assert.equal(call(clone, 0x3d0f00), ALLOW);
      assert.equal(call(clone, 17), ALLOW);
      for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
        assert.equal(call(clone, flag | 17), EPERM);
      }
    });

    it(`allows the usual sockets only on ${architecture}`, () => {
      const closeOnExec = 0o2000000;
      for (const args of [
        [1, 1],
        [1, 5],
        [2, 1 | closeOnExec],
        [10, 2],
        [16, 3 | closeOnExec, 0],
      ]) {
        assert.equal(call(socket, ...args), ALLOW, String(args));
      }
      for (const args of [
        [2, 3, 1],
        [10, 3 | closeOnExec, 58],
      ])
        assert.equal(call(socket, ...args), EPERM, String(args));
      for (const args of [
        [17, 3],
        [38, 5],
        [40, 1],
        [16, 3, 9],
      ])
        assert.equal(call(socket, ...args), EAFNOSUPPORT, String(args));
    });

    it(`refuses typing into a terminal, and other machines' personalities, on ${architecture}`, () => {
      assert.equal(call(ioctl, 0, 0x5412), EPERM);
      assert.equal(call(ioctl, 0, 0x5401), ALLOW);
      assert.equal(call(personality, 0xffffffff), ALLOW);
      assert.equal(call(personality, 0x0040000), EPERM);
    });

    it(`ends a process that calls in the way of another architecture than ${architecture}`, () => {
      assert.equal(judge(program, { arch: 0x40000003, number: read }), KILL);
    });
  }

  it('knows no x32 call', () => {
    assert.equal(judge(compileFilter('x64'), { arch: ARCHITECTURES.x64, number: 0x40000000 }), ENOSYS);
  });
});
