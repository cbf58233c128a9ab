import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const skip = process.getuid?.() === 0 ? false : 'only root is refused to run functions unsandboxed';

/** Asks for a sandbox where /usr/bin/bwrap cannot be run, and prints what came of it. */
const SCRIPT = `
import { createSandboxProvider } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
const [directory, rootProcesses] = process.argv.slice(2);
const quiet = () => {};
const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };
const provider = await createSandboxProvider({ directory, logger, rootProcesses: rootProcesses === 'yes' });
const options = { id: 'a', command: ['/bin/true'], environment: {}, binds: [], workingDirectory: '/tmp', tmpMb: 1 };
const told = await provider.create(options).then(({ exited }) => exited.then(({ code }) => 'ran, ' + code), (error) => error.code + ': ' + error.message);
console.log(JSON.stringify({ told, missing: provider.capabilities.missing }));
await provider.close();
`;

async function tryWithoutBwrap(rootProcesses: 'yes' | 'no'): Promise<{ told: string; missing: string[] }> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-unsandboxed-'));
  try {
    const hide = 'mount --bind /dev/null /usr/bin/bwrap && exec "$@"';
    const node = [process.execPath, '--input-type=module', '-e', SCRIPT, '--', directory, rootProcesses];
    // With -e there is no script name among the arguments: the first of ours would be taken for it.
    node.splice(-2, 0, 'script');
    const { stdout } = await promisify(execFile)('unshare', ['-m', 'sh', '-c', hide, 'sh', ...node]);
    return JSON.parse(stdout);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

describe('functions where no sandbox can be made', { skip }, () => {
  it('do not run as root, and the reason and the ways out are told', async () => {
    const { told, missing } = await tryWithoutBwrap('no');
    assert.match(told, /^ServiceException: Functions cannot be sandboxed on this machine .*bwrap.*--unsandboxed/);
    assert.match(missing.join(), /functions do not run/);
  });

  it('run as plain processes of root when that was asked for', async () => {
    const { told, missing } = await tryWithoutBwrap('yes');
    assert.equal(told, 'ran, 0');
    assert.match(missing.join(), /functions run as plain processes/);
  });
});
