import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Logger } from '../../base/logger.ts';
import { createSandboxNetwork } from '../index.ts';

/**
 * Prints, as JSON, what the network that this program was started in looks like: before a network for sandboxes is made,
 * while two are connected to it, and after it was closed. To be started in a namespace of its own, where nobody else
 * makes and removes interfaces.
 */
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => SILENT };

function hostNetwork() {
  const interfaces = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return {
    interfaces: interfaces.map((line) => line.split(':')[0]!.trim()).filter(Boolean),
    routes: readFileSync('/proc/net/route', 'utf8'),
    addresses: readFileSync('/proc/net/fib_trie', 'utf8'),
    forwards: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8'),
  };
}

/** A process in a network namespace of its own that waits. */
async function guest(): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', 'sh', '-c', 'echo up; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

const before = hostNetwork();
const network = await createSandboxNetwork({ logger: SILENT });
if (typeof network === 'string') throw new Error(network);
const guests = [await guest(), await guest()];
for (const { pid } of guests) await network.attach(pid!);
const connected = hostNetwork();
for (const child of guests) {
  child.kill('SIGKILL');
  await once(child, 'exit');
}
await network.close();
process.stdout.write(JSON.stringify({ before, connected, after: hostNetwork() }));
