import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { childrenOf } from './proc.ts';
import { printed, TrialGround, whyNoSandbox } from './test-support.ts';

const skip = await whyNoSandbox();

/** Makes a raw system call inside; answers the error's name, or what the call returned. */
const SYSCALL = `
  const ffi = require('node:ffi');
  const { functions: libc } = ffi.dlopen(null, {
    syscall: { return: 'int64', arguments: ['int64', 'int64', 'pointer', 'int64', 'pointer', 'int64', 'int64'] },
    __errno_location: { return: 'pointer', arguments: [] },
  });
  const nameOf = (n) => Object.entries(os.constants.errno).find(([, value]) => value === n)?.[0] ?? n;
  const call = (number, a = 0, b = null, c = 0, d = null, e = 0) => {
    const buffer = (x) => (typeof x === 'string' ? Buffer.from(x + '\\0') : x);
    const result = libc.syscall(BigInt(number), BigInt(a), buffer(b), BigInt(c), buffer(d), BigInt(e), 0n);
    return result < 0n ? nameOf(ffi.getInt32(libc.__errno_location())) : Number(result);
  };
`;

/** x86-64's numbers with arm64's. */
const on = (x64: number, arm64: number) => (process.arch === 'arm64' ? arm64 : x64);

describe('sandbox isolation', { skip }, () => {
  let ground: TrialGround;
  before(async () => {
    ground = await TrialGround.open();
  });
  after(() => ground.close());

  /** What each of the calls answers, made one after the other by one process. */
  const answers = (calls: Readonly<Record<string, string>>) =>
    ground.node<Record<string, string | number>>(
      `${SYSCALL} return { ${Object.entries(calls).map(([name, args]) => `'${name}': call(${args})`)} };`,
    );
  const all = (calls: Readonly<Record<string, string>>, answer: string) =>
    Object.fromEntries(Object.keys(calls).map((name) => [name, answer]));

  it('runs as the user that Lambda names, with no capability and no way to gain one', async () => {
    const { stdout } = await ground.shell(
      'id -un; grep -E "^(CapEff|CapPrm|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status',
    );
    assert.deepEqual(stdout.trim().split(/\s+/), [
      'sbx_user1051',
      ...['CapPrm:', '0000000000000000', 'CapEff:', '0000000000000000', 'CapAmb:', '0000000000000000'],
      ...['NoNewPrivs:', '1', 'Seccomp:', '2'],
    ]);
  });

  it('is given no text with a zero byte, which would end one argument of what makes it and begin another', async () => {
    const environment = { A: 'b\0--ro-bind\0/\0/mnt' };
    await assert.rejects(ground.start(['/bin/ls', '/mnt'], { environment }), /zero byte/);
  });

  it('is nobody on the host: not root, in no group of ours', async () => {
    const sandbox = await ground.startNode('console.log("up"); setInterval(() => {}, 1000)');
    await printed(sandbox, 'up');
    const { readFileSync } = await import('node:fs');
    const children = readFileSync(`/proc/${sandbox.pid}/task/${sandbox.pid}/children`, 'utf8').trim().split(' ');
    const status = readFileSync(`/proc/${children[0]}/status`, 'utf8');
    sandbox.kill();
    await sandbox.exited;
    if (process.getuid?.() === 0) {
      assert.match(status, /^Uid:\t1879\d{6}\t/m);
      assert.match(status, /^Gid:\t1879\d{6}\t/m);
      assert.match(status, /^Groups:\t\s*$/m);
    } else {
      assert.match(status, new RegExp(`^Uid:\\t${process.getuid?.()}\\t`, 'm'));
    }
  });

  it('sees no process but its own', async () => {
    const { stdout } = await ground.shell('for p in /proc/[0-9]*; do cat $p/comm; done');
    assert.deepEqual([...new Set(stdout.trim().split('\n'))].sort(), ['bwrap', 'sh']);
  });

  it('cannot signal a process of the host', async () => {
    const error = await ground.node<string>(
      `try { process.kill(${process.pid}, 0); return 'reached' } catch (error) { return error.code }`,
    );
    assert.equal(error, 'ESRCH');
  });

  it('has a /tmp of its own', async () => {
    const host = await mkdtemp(join(tmpdir(), 'kobune-secret-'));
    try {
      const other = await ground.startNode(
        'fs.writeFileSync("/tmp/mine", "1"); console.log("up"); setInterval(() => {}, 1000)',
      );
      await printed(other, 'up');
      assert.deepEqual(await ground.node('return fs.readdirSync("/tmp")'), []);
      other.kill();
      await other.exited;
    } finally {
      await rm(host, { recursive: true });
    }
  });

  it("shows none of the host's files but the system's", async () => {
    const secret = join(ground.directory, 'secret');
    await writeFile(secret, 'store', { mode: 0o644 });
    const paths = ['/etc/shadow', '/etc/hostname', '/root', '/var/lib', '/sys', '/boot', '/run/kobune/..', homedir()];
    const seen = await ground.node<Record<string, string>>(`
      const seen = {};
      for (const path of ${JSON.stringify([...paths, secret, process.cwd()])}) {
        try { seen[path] = fs.statSync(path).isDirectory() ? fs.readdirSync(path).join() : 'file' }
        catch (error) { seen[path] = error.code }
      }
      return seen;`);
    const { '/run/kobune/..': run, ...rest } = seen;
    assert.equal(run, 'kobune');
    assert.deepEqual(new Set(Object.values(rest)), new Set(['ENOENT']), JSON.stringify(seen));
  });

  it('inherits no descriptor but its three', async () => {
    // A program that starts has its libraries open for a moment; the shell is past that.
    const sandbox = await ground.start(['/bin/sh', '-c', 'echo up; read -r _']);
    await printed(sandbox, 'up');
    const descriptors = childrenOf(sandbox.pid).flatMap((pid) => readdirSync(`/proc/${pid}/fd`));
    sandbox.kill();
    await sandbox.exited;
    assert.deepEqual(descriptors, ['0', '1', '2']);
  });

  it("knows no account of the host's", async () => {
    const { stdout } = await ground.shell('cut -d: -f1 /etc/passwd /etc/group | sort -u');
    assert.deepEqual(stdout.trim().split('\n'), ['nobody', 'nogroup', 'root', 'sbx_user1051']);
  });

  it('can write nowhere but in /tmp', async () => {
    const { stdout } = await ground.shell(
      'find / -xdev -type d -writable 2>/dev/null; for d in / /usr /usr/local /etc /var/task /opt /dev /dev/shm /run/kobune /var /run; do touch $d/x 2>/dev/null && echo wrote $d; done; touch /tmp/x && echo wrote /tmp',
    );
    assert.equal(stdout, '/tmp\nwrote /tmp\n');
  });

  it('cannot write to its code, nor put something else in its place', async () => {
    const code = await mkdtemp(join(ground.directory, 'code-'));
    await chmod(code, 0o755);
    await writeFile(join(code, 'index.js'), 'original', { mode: 0o666 });
    const sandbox = await ground.startNode(`
      process.stdin.once('data', () => {
        const results = [];
        for (const attempt of [
          () => fs.writeFileSync('/var/task/index.js', 'changed'),
          () => fs.writeFileSync('/var/task/new.js', ''),
          () => fs.unlinkSync('/var/task/index.js'),
          () => fs.renameSync('/var/task', '/var/task2'),
          () => fs.rmdirSync('/var/task'),
        ]) try { attempt(); results.push('done') } catch (error) { results.push(error.code) }
        console.log(JSON.stringify(results), fs.readFileSync('/var/task/index.js', 'utf8'));
        process.exit();
      })`);
    await sandbox.attach(code, '/var/task');
    sandbox.stdin.write('.');
    const { text } = await import('node:stream/consumers');
    assert.match(
      await text(sandbox.stdout),
      /^\["EROFS","EROFS","EROFS","(EBUSY|EROFS)","(EBUSY|EROFS)"\] original\n$/,
    );
  });

  it('cannot mount, change its root or enter other namespaces', async () => {
    const calls = {
      mount: `${on(165, 40)}, 0, '/tmp', 0, 'tmpfs'`,
      umount: `${on(166, 39)}, 0, '/tmp'`,
      chroot: `${on(161, 51)}, 0, '/tmp'`,
      pivotRoot: `${on(155, 41)}, 0, '/tmp'`,
      openTree: `428, -100, '/usr', 1`,
      moveMount: '429',
      fsopen: "430, 0, 'tmpfs'",
      mountSetattr: '442',
      setns: `${on(308, 268)}, 0`,
      unshareUser: `${on(272, 97)}, ${0x10000000}`,
      unshareNet: `${on(272, 97)}, ${0x40000000}`,
      unshareMount: `${on(272, 97)}, ${0x20000}`,
      cloneUser: `${on(56, 220)}, ${0x10000000 | 17}`,
    };
    assert.deepEqual(await answers(calls), all(calls, 'EPERM'));
    assert.deepEqual(await answers({ clone3: '435' }), { clone3: 'ENOSYS' });
  });

  it('cannot trace, read or take descriptors of another process', async () => {
    const calls = {
      ptrace: `${on(101, 117)}, 16`,
      processVmReadv: `${on(310, 270)}, 1`,
      processVmWritev: `${on(311, 271)}, 1`,
      kcmp: `${on(312, 272)}, 1`,
      pidfdGetfd: '438, 3',
    };
    assert.deepEqual(await answers(calls), all(calls, 'EPERM'));
  });

  it("reaches neither the kernel's keys nor its modules, programs, counters or clock", async () => {
    const refused = {
      keyctl: `${on(250, 219)}`,
      addKey: `${on(248, 217)}`,
      requestKey: `${on(249, 218)}`,
      bpf: `${on(321, 280)}`,
      initModule: `${on(175, 105)}`,
      finitModule: `${on(313, 273)}`,
      kexecLoad: `${on(246, 104)}`,
      perfEventOpen: `${on(298, 241)}`,
      userfaultfd: `${on(323, 282)}`,
      reboot: `${on(169, 142)}`,
      swapon: `${on(167, 224)}`,
      openByHandleAt: `${on(304, 265)}`,
      syslog: `${on(103, 116)}`,
      clockSettime: `${on(227, 112)}`,
    };
    assert.deepEqual(await answers(refused), all(refused, 'EPERM'));
    const unknown = { ioUringSetup: '425', ioUringEnter: '426', ioUringRegister: '427' };
    assert.deepEqual(await answers(unknown), all(unknown, 'ENOSYS'));
  });

  it('gets no raw, packet, virtual machine or cryptography sockets; routing information only', async () => {
    const attempts = {
      raw: [2, 3, 1],
      rawIPv6: [10, 3, 58],
      packet: [17, 2, 0],
      vsock: [40, 1, 0],
      cryptography: [38, 5, 0],
      can: [29, 3, 1],
      xdp: [44, 3, 0],
      tipc: [30, 2, 0],
      netfilter: [16, 3, 12],
      routing: [16, 3, 0],
      stream: [2, 1, 0],
    };
    const open = await ground.node(`
      const ffi = require('node:ffi');
      const { functions: libc } = ffi.dlopen(null, {
        socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
        __errno_location: { return: 'pointer', arguments: [] },
      });
      const name = (errno) => Object.entries(os.constants.errno).find(([, value]) => value === errno)[0];
      const open = (args) => (libc.socket(...args) < 0 ? name(ffi.getInt32(libc.__errno_location())) : 'open');
      return Object.fromEntries(Object.entries(${JSON.stringify(attempts)}).map(([kind, args]) => [kind, open(args)]));`);
    assert.deepEqual(open, {
      raw: 'EPERM',
      rawIPv6: 'EPERM',
      packet: 'EAFNOSUPPORT',
      vsock: 'EAFNOSUPPORT',
      cryptography: 'EAFNOSUPPORT',
      can: 'EAFNOSUPPORT',
      xdp: 'EAFNOSUPPORT',
      tipc: 'EAFNOSUPPORT',
      netfilter: 'EAFNOSUPPORT',
      routing: 'open',
      stream: 'open',
    });
  });

  it('cannot configure its network', async () => {
    const { stdout, stderr } = await ground.shell(
      'for c in "link set lo down" "addr add 10.0.0.1/8 dev lo" "route add 10.0.0.0/8 dev lo"; do ip $c && echo done; done',
    );
    assert.equal(stdout, '');
    assert.match(stderr, /Operation not permitted/);
  });

  it('has only the harmless devices and can make none', async () => {
    const { stdout } = await ground.shell(
      'cd /dev; for f in *; do [ -b $f -o -c $f ] && echo $f; done; mknod /tmp/d b 254 0 2>/dev/null && echo made; true',
    );
    assert.deepEqual(stdout.trim().split('\n').sort(), ['full', 'null', 'ptmx', 'random', 'tty', 'urandom', 'zero']);
  });

  it("cannot change the kernel's settings", async () => {
    const { stdout } = await ground.shell(
      'for f in kernel/core_pattern kernel/hostname vm/drop_caches net/ipv4/ip_forward; do (echo 1 > /proc/sys/$f) 2>/dev/null && echo wrote $f; done; (echo b > /proc/sysrq-trigger) 2>/dev/null && echo sysrq; true',
    );
    assert.equal(stdout, '');
  });

  it('cannot leave its control group: none is mounted', async () => {
    const mounts = await ground.node<string>(`return fs.readFileSync('/proc/self/mounts', 'utf8')`);
    assert.doesNotMatch(mounts, /cgroup/);
  });

  it('gains nothing from set-user-id programs', async () => {
    const { stdout } = await ground.shell(
      'awk \'$2=="/usr"||$2=="/"||$2=="/tmp"{print $4}\' /proc/mounts | grep -vc nosuid; su -c id 2>/dev/null; unshare -r id 2>/dev/null; true',
    );
    assert.equal(stdout, '0\n');
  });

  it("does not get the host's environment", async () => {
    process.env.KOBUNE_TEST_SECRET = 'host-only';
    try {
      const environment = await ground.node<Record<string, string>>('return process.env', { environment: { A: '1' } });
      delete environment.PWD;
      assert.deepEqual(environment, { A: '1' });
      const { stdout } = await ground.shell('cat /proc/*/environ | tr "\\0" "\\n" | grep -c host-only');
      assert.equal(stdout, '0\n');
    } finally {
      delete process.env.KOBUNE_TEST_SECRET;
    }
  });

  it("keeps a loader variable of the function's from the host's side", async () => {
    // A file that exists on the host alone: bwrap would load it. Inside, two shells complain.
    const library = join(ground.directory, 'evil.so');
    await writeFile(library, 'not a library');
    const { stderr, exit } = await ground.shell('exit 0', { environment: { LD_PRELOAD: library } });
    assert.deepEqual([exit.code, stderr.match(/cannot open shared object file/g)?.length], [0, 2]);
  });

  it('plants nothing in the exchange directory that the host would follow', async () => {
    const sandbox = await ground.startNode(`
      const results = [];
      for (const attempt of [
        () => fs.symlinkSync('/etc/shadow', '/run/kobune/out'),
        () => fs.writeFileSync('/run/kobune/file', ''),
        () => require('net').createServer().on('error', (e) => console.log(e.code)).listen('/run/kobune/s'),
      ]) try { attempt() } catch (error) { console.log(error.code) }`);
    const { text } = await import('node:stream/consumers');
    assert.equal(await text(sandbox.stdout), 'EROFS\nEROFS\nEROFS\n');
  });

  it("reaches the host's unix sockets only in its own exchange directory", async () => {
    const { createServer } = await import('node:net');
    const { chmodSync } = await import('node:fs');
    const admin = createServer().listen(join(ground.directory, 'admin.sock'));
    // An abstract name is not in any directory; it belongs to the network namespace.
    const abstract = createServer().listen('\0kobune-escape-test');
    const sandbox = await ground.startNode(`
      process.stdin.once('data', () => {
        for (const path of ['/run/kobune/x.sock', ${JSON.stringify(join(ground.directory, 'admin.sock'))}, '\\0kobune-escape-test']) {
          const socket = require('net').connect(path, () => { console.log('open'); socket.end() });
          socket.on('error', (error) => console.log(error.code));
        }
        process.stdin.pause();
      })`);
    const own = createServer((socket) => socket.end()).listen(join(sandbox.exchangeDirectory, 'x.sock'));
    chmodSync(join(sandbox.exchangeDirectory, 'x.sock'), 0o666);
    const { text } = await import('node:stream/consumers');
    sandbox.stdin.end('.');
    const lines = (await text(sandbox.stdout)).trim().split('\n').sort();
    for (const server of [admin, abstract, own]) server.close();
    assert.deepEqual(lines, ['ECONNREFUSED', 'ENOENT', 'open']);
  });

  it('shows code that holds a symbolic link without following it on the host', async () => {
    const code = await mkdtemp(join(ground.directory, 'code-'));
    await chmod(code, 0o755);
    await symlink('/etc/shadow', join(code, 'link'));
    await symlink('/usr/bin', join(code, 'dir'));
    const sandbox = await ground.startNode(`
      process.stdin.once('data', () => {
        try { console.log(fs.readFileSync('/var/task/link', 'utf8')) } catch (error) { console.log(error.code) }
        process.exit();
      })`);
    await sandbox.attach(code, '/var/task');
    sandbox.stdin.write('.');
    const { text } = await import('node:stream/consumers');
    assert.equal(await text(sandbox.stdout), 'ENOENT\n');
  });
});
