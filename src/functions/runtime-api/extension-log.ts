import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Kernel } from '../../network/index.ts';
import type { FurtherOutput } from '../runtime-process.ts';
import type { Sandbox } from '../sandbox/index.ts';

const name = 'extension-log';
/** A sandbox's exchange directory, as the inside sees it. */
export const exchangeInside = '/run/kobune';
/** Where the sandbox's first process finds it. */
export const extensionLogInside = `${exchangeInside}/${name}`;

/** The output of a sandbox's external extensions, apart from the runtime's: a named pipe in its exchange directory. */
export function openExtensionLog(kernel: Kernel, sandbox: Sandbox): FurtherOutput {
  const path = join(sandbox.exchangeDirectory, name);
  kernel.call('mkfifo', path, 0o600);
  // Whoever is inside is nobody on the host, and is to write only.
  chmodSync(path, 0o622);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // Without a writer of ours it would end before the first extension has opened it, and between two.
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const stream = new Socket({ fd: reader, readable: true, writable: false });
  stream.on('error', () => stream.destroy());
  return { stream, release: () => closeSync(writer) };
}
