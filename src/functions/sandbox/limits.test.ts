import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { outcome, printed, TrialGround, whyNoSandbox } from './test-support.ts';

const skip = await whyNoSandbox();

describe('sandbox limits', { skip }, () => {
  let ground: TrialGround;
  let noGroups: string | false;
  before(async () => {
    ground = await TrialGround.open();
  });
  after(() => ground.close());

  const needsGroups = (context: { skip(reason: string): void }) => {
    const { cgroups, missing } = ground.provider.capabilities;
    noGroups = cgroups === 'none' ? missing.join('; ') : false;
    if (noGroups) context.skip(noGroups);
    return noGroups;
  };

  it('ends what takes more memory than it may have, and says so', async (context) => {
    if (needsGroups(context)) return;
    const sandbox = await ground.startNode('const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));', {
      memoryMb: 128,
    });
    const { exit } = await outcome(sandbox);
    assert.deepEqual(exit, { code: undefined, signal: 'SIGKILL', outOfMemory: true });
  });

  it('ends everything when a helper process is what took the memory', async (context) => {
    if (needsGroups(context)) return;
    const helper = 'const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));';
    const sandbox = await ground.startNode(
      `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(helper)}]); setInterval(() => {}, 1000)`,
      { memoryMb: 160 },
    );
    const { exit } = await outcome(sandbox);
    assert.equal(exit.outOfMemory, true);
  });

  it('lets a function fill a /tmp that is larger than its memory', async (context) => {
    if (needsGroups(context)) return;
    const { stdout, exit } = await ground.shell('head -c 200M /dev/zero > /tmp/x; sleep 0.5; stat -c %s /tmp/x', {
      memoryMb: 128,
      tmpMb: 256,
    });
    assert.deepEqual([stdout, exit.outOfMemory], [`${200 * 1024 * 1024}\n`, false]);
  });

  it('does not lend the room of an empty /tmp as memory', async (context) => {
    if (needsGroups(context)) return;
    const script = 'globalThis.all = Buffer.alloc(300 << 20, 1); setInterval(() => {}, 1000)';
    const sandbox = await ground.startNode(script, { memoryMb: 128, tmpMb: 2048 });
    assert.deepEqual(await sandbox.exited, { code: undefined, signal: 'SIGKILL', outOfMemory: true });
  });

  it('stops a fork bomb at 1,024 processes', async (context) => {
    if (needsGroups(context)) return;
    const { stdout } = await ground.shell(
      `python3 -c '
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        count += 1
except OSError as error:
    print(error.errno, count, flush=True)
'`,
      { memoryMb: 2048, environment: { PATH: '/usr/bin:/bin' } },
    );
    const [errno, count] = stdout.trim().split(' ').map(Number);
    assert.equal(errno, 11);
    assert.ok(count! > 1000 && count! < 1024, stdout);
  });

  it('fills /tmp up to its size and not beyond', async () => {
    const { stdout, stderr } = await ground.shell('head -c 20M /dev/zero > /tmp/x; stat -c %s /tmp/x', { tmpMb: 16 });
    assert.match(stderr, /No space left on device/);
    assert.equal(stdout, `${16 * 1024 * 1024}\n`);
  });

  it('allows 1,024 descriptors, and no more after asking', async () => {
    const { stdout } = await ground.shell('ulimit -n; ulimit -Hn; ulimit -n 4096 2>/dev/null; ulimit -n');
    assert.equal(stdout, '1024\n1024\n1024\n');
  });

  it('gives a pooled sandbox its limits later', async (context) => {
    if (needsGroups(context)) return;
    const sandbox = await ground.startNode(
      `console.log('up');
       process.stdin.once('data', () => {
         try { fs.writeFileSync('/tmp/x', Buffer.alloc(24 << 20)); console.log('wrote'); } catch (error) { console.log(error.code) }
         const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1));
       })`,
      { memoryMb: undefined, tmpMb: 8 },
    );
    await printed(sandbox, 'up');
    await sandbox.limit({ memoryMb: 192, tmpMb: 32 });
    sandbox.stdin.write('.');
    await printed(sandbox, 'wrote');
    assert.equal((await sandbox.exited).outOfMemory, true);
  });

  it('gives processor time in proportion to memory', async (context) => {
    if (needsGroups(context)) return;
    const burn = `
      const spent = (ms) => {
        const start = process.cpuUsage(); const end = performance.now() + ms;
        while (performance.now() < end);
        const { user, system } = process.cpuUsage(start);
        return (user + system) / 1000 / ms;
      };
      return spent(600);`;
    const small = await ground.node<number>(burn, { memoryMb: 177 });
    // A tenth of a processor; the machine may be busy, which only makes it less. A period may be cut at either end.
    assert.ok(small < 0.2, `177 MB had ${small} of a processor`);
    assert.ok(small > 0.02, `177 MB had ${small} of a processor`);
  });

  it('gives all processors while told to', async (context) => {
    if (needsGroups(context)) return;
    const sandbox = await ground.startNode(
      `console.log('up'); process.stdin.once('data', () => {
        const start = process.cpuUsage(); let n = 0; while (n < 3e8) n++;
        console.log('spent ' + (fs.readFileSync('/proc/self/stat', 'utf8') ? 'ok' : ''));
        process.exit();
      })`,
      { memoryMb: undefined },
    );
    await printed(sandbox, 'up');
    await sandbox.limit({ memoryMb: 128, tmpMb: 16, cpuMb: 'all' });
    await sandbox.limit({ memoryMb: 256, tmpMb: 16 });
    await sandbox.limit({ memoryMb: 128, tmpMb: 16, cpuMb: 'all' });
    sandbox.stdin.write('.');
    await printed(sandbox, 'spent ok');
    assert.equal((await sandbox.exited).code, 0);
  });

  it('tells the highest use of memory since it was last asked', async (context) => {
    if (needsGroups(context)) return;
    const sandbox = await ground.startNode(`
      console.log('up');
      process.stdin.on('data', () => { let all = Buffer.alloc(64 << 20, 1); all = undefined; global.gc?.(); console.log('used'); })`);
    await printed(sandbox, 'up');
    sandbox.peakMemory();
    const before = sandbox.peakMemory();
    sandbox.stdin.write('.');
    await printed(sandbox, 'used');
    const peak = sandbox.peakMemory();
    assert.ok(peak >= before + 60 * 1024 * 1024, `${before} → ${peak}`);
    assert.ok(sandbox.memory() <= peak);
    sandbox.kill();
    await sandbox.exited;
  });
});

describe('sandbox freezing', { skip }, () => {
  let ground: TrialGround;
  before(async () => {
    ground = await TrialGround.open();
  });
  after(() => ground.close());
  const groups = () => ground.provider.capabilities.cgroups !== 'none';
  const COUNTER = `
    let count = 0; console.log('up');
    setInterval(() => { count++ }, 1);
    process.stdin.on('data', () => console.log('count ' + count));`;

  it('stops all processes, and goes on where it was', async (context) => {
    if (!groups()) return context.skip('no control groups');
    const { readFileSync } = await import('node:fs');
    const sandbox = await ground.startNode(COUNTER);
    await printed(sandbox, 'up');
    const used = () => {
      const stat = readFileSync(`/proc/${children(sandbox.pid)[0]}/stat`, 'utf8')
        .split(') ')[1]!
        .split(' ');
      return stat[0];
    };
    const { childrenOf: children } = await import('./proc.ts');
    await sandbox.freeze();
    assert.equal(used(), 'D');
    await sandbox.thaw();
    sandbox.stdin.write('.');
    await printed(sandbox, 'count');
    sandbox.kill();
    await sandbox.exited;
  });

  it('calls off a later stop when resumed before', async (context) => {
    if (!groups()) return context.skip('no control groups');
    const sandbox = await ground.startNode(COUNTER);
    await printed(sandbox, 'up');
    for (let round = 0; round < 50; round++) {
      await sandbox.freeze({ afterMs: 5 });
      await sandbox.thaw();
      sandbox.stdin.write('.');
      await printed(sandbox, 'count');
    }
    sandbox.kill();
    await sandbox.exited;
  });

  it('ends a stopped sandbox at once', async () => {
    const sandbox = await ground.startNode(COUNTER);
    await printed(sandbox, 'up');
    await sandbox.freeze();
    sandbox.kill();
    assert.deepEqual(await sandbox.exited, { code: undefined, signal: 'SIGKILL', outOfMemory: false });
  });
});
