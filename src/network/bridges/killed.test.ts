import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { openLmdbStore, type Store } from '../../store/index.ts';
import { runProgram } from './program.ts';
import { dial, Guest, Place, random, startNetworks, type TestNetworks, WIRINGS, whyNot } from './test-support.ts';

interface Left {
  readonly guests: readonly {
    readonly id: string;
    readonly name: string;
    readonly path: string;
    readonly pid: number;
    readonly address: string;
    readonly port: number;
  }[];
}

const PROGRAM = new URL('./networks-process.ts', import.meta.url).pathname;

/** Runs networks in another process, and kills it when everything stands. */
async function runAndKill(
  store: string,
  runDirectory: string,
  instance: string,
  kind: 'lasting' | 'ephemeral',
  by: (typeof WIRINGS)[number]['by'],
): Promise<Left> {
  const [second, third] = Buffer.from(instance, 'hex');
  const subnet = `10.${64 + (second! % 64)}.${third}.0/24`;
  const child = spawn(process.execPath, ['--no-warnings', PROGRAM, store, runDirectory, instance, kind, subnet, by], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  child.kill('SIGKILL');
  await once(child, 'exit');
  return JSON.parse(line) as Left;
}

const devicesOf = (instance: string) =>
  readdirSync('/sys/class/net').filter((name) => name.slice(2).startsWith(instance.slice(0, 6)));

const skip = await whyNot();
for (const { by, options } of WIRINGS) {
  describe(`container networks after a kill, by ${by}`, { skip }, () => {
    let directory: string;
    let left: Left;
    let store: Store;
    let test: TestNetworks;
    const instance = random.hex(8);

    const start = async () => {
      store = await openLmdbStore({ directory: join(directory, 'store') });
      test = await startNetworks({ store, instance, runDirectory: join(directory, 'run'), ...options });
    };
    const stop = async () => {
      await test[Symbol.asyncDispose]();
      await store.close();
    };
    const guest = (name: string) => {
      const { id, path } = left.guests.find((one) => one.name === name)!;
      return Guest.adopt(test, id, name, path);
    };

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'kobune-killed-'));
      left = await runAndKill(join(directory, 'store'), join(directory, 'run'), instance, 'lasting', by);
      await runProgram('ip', ['link', 'add', `kb${instance.slice(0, 6)}stray`, 'type', 'bridge']);
      await runProgram('ip', ['link', 'add', `kv${instance.slice(0, 6)}stray`, 'type', 'bridge']);
    });
    after(async () => {
      for (const { pid } of left.guests) process.kill(pid, 'SIGKILL');
      await stop();
      await rm(directory, { recursive: true, force: true });
    });

    it('go on while it is down', async () => {
      const [web, client] = left.guests;
      assert.equal(await dial('127.0.0.1', web!.port), 'web\n');
      assert.equal(await new Place('client', client!.path).dial(web!.address, 80), 'web\n');
    });

    it('are known again, with their containers, names, ports and the cloud', async () => {
      await start();
      const names = (await test.networks.list()).map(({ name }) => name).sort();
      assert.deepEqual(names, ['bridge', 'front', 'host', 'inner', 'none', 'six']);
      const [web, client, vault] = [await guest('web'), await guest('client'), await guest('vault')];
      assert.deepEqual(await client.lookUp('web'), [web.address('front')]);
      assert.deepEqual(await web.lookUp('web', 'AAAA'), [web.connected.endpoints[1]!.ipv6]);
      assert.equal(await client.dial(web.address('front'), 80), 'web\n');
      assert.equal(await client.dial(vault.address(), 80), 'refused');
      const { hostPort } = web.connected.ports[0]!;
      for (const address of ['127.0.0.1', '::1']) assert.equal(await dial(address, hostPort), 'web\n');
      const taken = { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort } as const;
      await assert.rejects(Guest.join(test, 'late', ['bridge'], [taken]), { code: 'PortInUse' });
      assert.equal(await vault.run('busybox', 'wget', '-qO-', 'http://169.254.100.1/'), 'gateway 169.254.100.1');
    });

    it('give nobody an address that a container has', async () => {
      const client = await guest('client');
      await using late = await Guest.join(test, 'late', ['front']);
      assert.notEqual(late.address(), client.address());
      const wanted = { network: 'front', ipv4: client.address() };
      await assert.rejects(Guest.join(test, 'late', [wanted]), { code: 'AddressInUse', status: 403 });
    });

    it('clear away what was half-made', async () => {
      await stop();
      await start();
      assert.ok(!existsSync(join(directory, 'run', instance, 'ns', 'half')));
      assert.deepEqual(
        devicesOf(instance).filter((name) => name.endsWith('stray')),
        [],
      );
    });

    it('are put back when bridges, cables and rules are gone', async () => {
      const { bridge } = (await test.networks.find('front'))!;
      const [web, client] = [await guest('web'), await guest('client')];
      await stop();
      const [first] = readdirSync(`/sys/class/net/${bridge}/brif`);
      await runProgram('ip', ['link', 'delete', first!]);
      await runProgram('ip', ['link', 'delete', bridge!]);
      await runProgram('nft', ['delete', 'table', 'inet', `kobune-${instance}`]);
      await start();
      assert.equal(test.warnings.length, 1);
      assert.equal(await (await guest('client')).dial(web.address('front'), 80), 'web\n');
      assert.equal(await (await guest('web')).dial(client.address('front'), 80), 'client\n');
      assert.equal(await dial('127.0.0.1', web.connected.ports[0]!.hostPort), 'web\n');
    });

    it('end with their containers, also with those whose processes still run', async () => {
      for (const { id } of left.guests) await test.networks.release(id);
      const again = await Guest.join(test, 'web', ['front', 'six'], [], left.guests[0]!.id);
      assert.equal(again.address('front'), left.guests[0]!.address);
      await again.release();
      await stop();
      assert.deepEqual(devicesOf(instance), []);
      assert.ok(!existsSync(join(directory, 'run', instance)));
      assert.doesNotMatch(await runProgram('nft', ['list', 'tables']), new RegExp(instance));
      await start();
    });
  });
}

describe('a Kobune that was killed', { skip }, () => {
  for (const [state, kind, isCleared] of [
    ['is ephemeral', 'ephemeral', true],
    ['has its state', 'lasting', false],
    ['has lost its state', 'lasting', true],
  ] as const) {
    it(`and ${state} is ${isCleared ? 'cleared away' : 'left as it is'} by the next one that starts`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kobune-killed-'));
      const instance = random.hex(8);
      const [run, store] = [join(directory, 'run'), join(directory, 'store')];
      const left = await runAndKill(store, run, instance, kind, 'system calls');
      const isThere = async () => [
        devicesOf(instance).length > 0,
        existsSync(join(run, instance)),
        (await runProgram('nft', ['list', 'tables'])).includes(instance),
      ];
      const startAnother = async () => {
        await using _other = await startNetworks({ runDirectory: run });
      };
      try {
        assert.deepEqual(await isThere(), [true, true, true]);
        if (state === 'has lost its state') await rm(store, { recursive: true });
        await startAnother();
        const there = !isCleared;
        assert.deepEqual(await isThere(), [there, there, there]);
      } finally {
        for (const { pid } of left.guests) process.kill(pid, 'SIGKILL');
        await rm(store, { recursive: true, force: true });
        await startAnother();
        await rm(directory, { recursive: true, force: true });
      }
    });
  }
});
