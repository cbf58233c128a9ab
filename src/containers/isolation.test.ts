import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ContainerSpec } from './container.ts';
import { noContainersReason, TestEngine } from './testing/test-engine.ts';

describe('what a container may do', { skip: noContainersReason }, () => {
  let world: TestEngine;
  before(async () => {
    world = await TestEngine.open();
  });
  after(() => world[Symbol.asyncDispose]());

  const output = async (script: string, changes: Partial<ContainerSpec> = {}) => {
    const { stdout, stderr } = await world.run(script, changes);
    return (stdout + stderr).trim();
  };

  it('is what Docker allows unless told, more or less by capability', async () => {
    const own = async (changes: Partial<ContainerSpec> = {}) =>
      /CapBnd:\s+([0-9a-f]+)/.exec(await output('cat /proc/self/status', changes))?.[1];
    assert.equal(await own(), '00000000a80425fb');
    assert.equal(await own({ capabilitiesDrop: ['ALL'] }), '0000000000000000');
    assert.equal(await own({ capabilitiesDrop: ['ALL'], capabilitiesAdd: ['NET_BIND_SERVICE'] }), '0000000000000400');
    assert.equal(await own({ capabilitiesAdd: ['CAP_NET_ADMIN'], capabilitiesDrop: ['mknod'] }), '00000000a00435fb');
    await assert.rejects(world.create('true', { capabilitiesAdd: ['NO_SUCH'] }), /invalid capability: "NO_SUCH"/);
  });

  // What root inside may not do, and what makes it possible.
  const DENIED: readonly (readonly [
    what: string,
    script: string,
    answer: RegExp,
    allowing?: Partial<ContainerSpec>,
  ])[] = [
    ['mounting', 'mount -t tmpfs none /tmp', /permission denied/, { capabilitiesAdd: ['SYS_ADMIN'] }],
    ['new namespaces', 'unshare -m true', /Operation not permitted/, { capabilitiesAdd: ['SYS_ADMIN'] }],
    ['new user namespaces', 'unshare -U true', /Operation not permitted/, { securityOptions: ['seccomp=unconfined'] }],
    ['another host name', 'hostname other', /Operation not permitted/, { capabilitiesAdd: ['SYS_ADMIN'] }],
    ['setting the clock', 'date -s @0 2>&1 | grep -v 1970', /Operation not permitted/],
    ['network interfaces', 'ip link set lo down', /Operation not permitted/, { capabilitiesAdd: ['NET_ADMIN'] }],
    ['kernel settings', 'echo 1 > /proc/sys/kernel/panic', /Read-only file system/],
    ['writing to sysfs', 'echo 1 > /sys/kernel/mm/ksm/run', /Read-only file system/],
    ['the kernel log', 'dmesg', /Operation not permitted/],
    ['the firmware of the machine', 'ls /sys/firmware | wc -l', /^0$/],
    ['devices of the machine', 'mknod /d b 254 0; cat /d', /Operation not permitted/],
    ['modules', 'rmmod no_such', /(Operation not permitted|Function not implemented|No such file)/],
    ['control groups', 'mkdir /sys/fs/cgroup/pids/x /sys/fs/cgroup/x', /Read-only file system/],
    ['interrupts', 'echo 1 > /proc/irq/default_smp_affinity', /Read-only file system/],
  ];
  for (const [what, script, answer, allowing] of DENIED) {
    it(`is not: ${what}`, async () => {
      assert.match(await output(script), answer);
      if (allowing) assert.equal(await output(script, allowing), '');
    });
  }

  it('is to see its own processes, host name and control groups alone', async () => {
    const seen = await output('hostname; ps -o pid | tail -n +2 | head -1; ls /proc/1/root/tmp', {
      hostname: 'my_box',
    });
    assert.deepEqual(
      seen.split('\n').map((line) => line.trim()),
      ['my_box', '1'],
    );
    const host = await output('ls /proc | grep -c "^[0-9]"', { pidMode: 'host' });
    assert.ok(Number(host) > 5);
  });

  it('is less with its own profile, and with no new privileges', async () => {
    const profile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }],
    });
    assert.match(await output('mkdir /x', { securityOptions: [`seccomp=${profile}`] }), /Function not implemented/);
    assert.match(await output('grep NoNewPrivs /proc/self/status', { securityOptions: ['no-new-privileges'] }), /1$/);
    await assert.rejects(world.create('true', { securityOptions: ['seccomp={'] }), /Decoding seccomp profile failed/);
    await assert.rejects(
      world.create('true', { securityOptions: ['apparmor=mine'] }),
      /"apparmor=mine" is not supported/,
    );
  });

  it('is everything for a privileged one', async () => {
    const seen = await output(
      'grep -c Seccomp:.0 /proc/self/status; test -w /proc/sys/kernel/panic && echo writable; ls /dev/vda /dev/kmsg 2>/dev/null | wc -l',
      { privileged: true },
    );
    assert.match(seen, /^1\nwritable\n[12]$/);
  });

  it('is as the user that was asked for', async () => {
    const as = (user: string, changes: Partial<ContainerSpec> = {}) => output('id', { user, ...changes });
    assert.match(await as(''), /^uid=0\(root\) gid=0/);
    assert.match(await as('1234'), /^uid=1234 gid=0/);
    assert.match(await as('1234:567'), /^uid=1234 gid=567/);
    assert.match(await as('', { additionalGroups: ['4321'] }), /groups=.*4321/);
    assert.equal(await output('grep CapEff /proc/self/status', { user: '1' }), 'CapEff:\t0000000000000000');
    await assert.rejects(world.start('true', { user: '99999999999' }), /unable to find user/);
    await assert.rejects(world.start('true', { user: '0:nobody-knows' }), /unable to find group/);
  });

  it('looks names up inside, through no link that leads out', async () => {
    const id = await world.create('id -u');
    const { path } = await world.engine.root(id);
    await rm(join(path, 'etc/passwd'));
    execFileSync('ln', ['-s', '/../../../../etc/passwd', join(path, 'etc/passwd')]);
    const { id: other } = await world.engine.get(id);
    await world.engine.startContainer(other);
    assert.equal((await world.engine.wait(other, 'not-running')).exitCode, 0);
    // Seen from inside the link leads to itself: there is no such file, so no name is known.
    const named = await world.create('true', { user: 'daemon' });
    const root = await world.engine.root(named);
    await rm(join(root.path, 'etc/passwd'), { force: true });
    execFileSync('ln', ['-s', '/../../../../etc/passwd', join(root.path, 'etc/passwd')]);
    await assert.rejects(world.engine.startContainer(named), /unable to find user daemon/);
  });

  it('is to write nowhere with a read-only root, but where something is mounted', async () => {
    const seen = await output('touch /x; touch /tmp/y && echo tmp; touch /etc/hosts && echo hosts', {
      readOnlyRoot: true,
      mounts: [{ type: 'tmpfs', target: '/tmp' }],
    });
    assert.match(seen, /tmp\nhosts/);
    assert.match(seen, /\/x: Read-only file system/);
  });

  it('sees the devices that it was given', async () => {
    const devices = [{ hostPath: '/dev/fuse', containerPath: '/dev/other', permissions: 'rwm' }];
    if (existsSync('/dev/fuse')) assert.match(await output('ls -l /dev/other', { devices }), /^c.* 10, +229/);
    const zero = [{ hostPath: '/dev/zero', containerPath: '/dev/nought', permissions: 'r' }];
    assert.equal(await output('head -c 3 /dev/nought | wc -c', { devices: zero }), '3');
    await assert.rejects(
      world.create('true', { devices: [{ hostPath: '/etc/passwd', containerPath: '/x', permissions: 'r' }] }),
      /not a device node/,
    );
  });

  it('shares namespaces with another container that was asked for', async () => {
    const first = await world.start('echo shared > /dev/shm/file; sleep 100', {
      ipcMode: 'shareable',
      hostname: 'first',
    });
    await new Promise<void>((resolve) => setImmediate(resolve));
    const seen = await output(
      'until cat /dev/shm/file; do sleep 0.05; done 2>/dev/null; ps | grep -q "[s]leep 100" && echo seen; hostname',
      {
        ipcMode: { container: first },
        pidMode: { container: first },
      },
    );
    assert.match(seen, /^shared\nseen\n/);
    const closed = await world.start('sleep 100');
    await assert.rejects(world.start('true', { ipcMode: { container: closed } }), /not shareable/);
    await world.engine.remove(first, { force: true });
    await world.engine.remove(closed, { force: true });
  });

  it('takes settings of the kernel that belong to a namespace', async () => {
    assert.equal(await output('cat /proc/sys/net/ipv4/ip_forward', { sysctls: { 'net.ipv4.ip_forward': '1' } }), '1');
    assert.equal(await output('cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '0');
    await assert.rejects(world.create('true', { sysctls: { 'kernel.panic': '1' } }), /'kernel.panic' is not allowed/);
    await assert.rejects(world.create('true', { sysctls: { 'net.../../kernel.panic': '1' } }), /is not allowed/);
  });

  it('holds no file of Kobune open', async () => {
    const { container } = await world.engine.create(world.spec({ command: ['sleep', '100'] }));
    await world.engine.startContainer(container.id);
    assert.equal((await world.exec(container.id, ['ls', '/proc/1/fd'])).stdout, '0\n1\n2\n');
    await world.engine.remove(container.id, { force: true });
  });
});
