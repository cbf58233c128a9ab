import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openLmdbStore } from '../../store/index.ts';
import { Guest, startNetworks, WIRINGS } from './test-support.ts';

/** A Kobune that is going to be killed: makes networks and containers, tells about them, and waits. */
const [storeDirectory, runDirectory, instance, kind, subnet, by] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];

const store = await openLmdbStore({ directory: storeDirectory });
const test = await startNetworks({
  store,
  runDirectory,
  instance,
  ephemeral: kind === 'ephemeral',
  ...WIRINGS.find((wiring) => wiring.by === by)!.options,
});
const { networks } = test;
await networks.create({ name: 'front', ranges: [{ subnet: subnet }] });
await networks.create({ name: 'six', ipv6: true });
await networks.create({ name: 'inner', internal: true });

const guests: object[] = [];
for (const [name, places, ports] of [
  ['web', ['front', 'six'], [{ containerPort: 80, protocol: 'tcp' }]],
  ['client', ['front'], []],
  ['vault', ['inner'], []],
] as const) {
  const guest = await Guest.join(test, name, [...places], [...ports]);
  // Its process outlives us, as a container's does.
  const child = spawn(
    'nsenter',
    [`--net=${guest.path}`, '--', 'busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', name],
    {
      detached: true,
      stdio: 'ignore',
    },
  );
  while (!isListening(child.pid!)) await setTimeout(5);
  const port = guest.connected.ports[0]?.hostPort;
  guests.push({ id: guest.id, name, path: guest.path, pid: child.pid, address: guest.address(), port });
}
// Half-made: a namespace with nobody in it.
await networks.createNamespace('half');
process.stdout.write(`${JSON.stringify({ guests })}\n`);
process.stdin.resume();

/** Whether someone listens on port 80 where the process is: `proc_pid_net(5)`; state 0A is LISTEN. */
function isListening(pid: number): boolean {
  return /:0050 [0-9A-F]+:0000 0A /.test(
    readFileSync(`/proc/${pid}/net/tcp`, 'utf8') + readFileSync(`/proc/${pid}/net/tcp6`, 'utf8'),
  );
}
