import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cpuQuota } from './cgroup.ts';
import { cgroupsV2, handsControllersDown } from './cgroup-v2.ts';

/** The kernel's files stand in as plain ones: machines with only version 2 are not the only ones this must run on. */
const FILES = {
  'cgroup.freeze': '0',
  'cgroup.events': 'populated 1\nfrozen 1\n',
  'memory.current': '1048576\n',
  'memory.peak': '4194304\n',
  'memory.events': 'low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n',
  'memory.stat': 'anon 2097152\nfile 0\nkernel 0\nshmem 1048576\n',
  'memory.max': '',
  'memory.swap.max': '',
  'memory.oom.group': '',
  'cpu.max': '',
  'pids.max': '',
  'cgroup.procs': '',
};

describe('control groups, version 2', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-cgroup-'));
    mkdirSync(join(directory, 'one'));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, 'one', name), text);
  });
  after(() => rm(directory, { recursive: true }));
  const file = (name: string) => readFileSync(join(directory, 'one', name), 'latin1');

  it('limits memory without swap, processors in proportion, and processes', async () => {
    const group = await cgroupsV2(directory, undefined).create('one');
    await group.add(4711);
    group.limit({ memoryMb: 1769, cpuMb: 1769, tmpMb: 512 });
    assert.deepEqual(
      ['memory.max', 'memory.swap.max', 'memory.oom.group', 'cpu.max', 'pids.max', 'cgroup.procs'].map(file),
      ['2391801856', '0', '1', '20000 20000', '1024', '4711'],
    );
    group.limit({ memoryMb: 128, cpuMb: undefined, tmpMb: 0 });
    assert.deepEqual([file('memory.max'), file('cpu.max')], ['134217728', 'max 20000']);
  });

  it('freezes, thaws and tells what was used', async () => {
    const group = await cgroupsV2(directory, undefined).create('one');
    await group.freeze();
    assert.equal(file('cgroup.freeze'), '1');
    group.thaw();
    assert.equal(file('cgroup.freeze'), '0');
    // Files in /tmp are not memory.
    assert.deepEqual([group.memory(), group.peakMemory()], [1048576, 3145728]);
  });

  it('is out of memory when the kernel killed for it, or its processes hold more than they may', async () => {
    const group = await cgroupsV2(directory, undefined).create('one');
    group.limit({ memoryMb: 1, cpuMb: undefined, tmpMb: 1 });
    const events = (kills: number) => writeFileSync(join(directory, 'one/memory.events'), `max 7\noom_kill ${kills}\n`);
    const current = (bytes: number) => writeFileSync(join(directory, 'one/memory.current'), `${bytes}\n`);
    events(0);
    current(1024);
    assert.equal(group.isOutOfMemory(), false);
    current(4 << 20);
    assert.equal(group.isOutOfMemory(), true);
    current(1024);
    events(1);
    assert.equal(group.isOutOfMemory(), true);
  });

  it('asks the group above for its controllers, where it has them', () => {
    const parent = join(directory, 'parent');
    mkdirSync(parent);
    writeFileSync(join(parent, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    writeFileSync(join(parent, 'cgroup.subtree_control'), '');
    assert.equal(handsControllersDown(parent), true);
    assert.equal(readFileSync(join(parent, 'cgroup.subtree_control'), 'latin1'), '+memory +cpu +pids');
    writeFileSync(join(parent, 'cgroup.controllers'), 'cpu pids\n');
    assert.equal(handsControllersDown(parent), false);
  });
});

describe('processor share', () => {
  it('is one processor for each 1,769 MB, and never less than the kernel takes', () => {
    assert.deepEqual([64, 128, 1769, 3538, 10240].map(cpuQuota), [1000, 1447, 20000, 40000, 115772]);
  });
});
