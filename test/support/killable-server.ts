/** The program that `KillableKobune` runs: its arguments are the data directory and the port. */
import { createLogger } from '../../src/base/json-logger.ts';
import { startKobune } from '../../src/main.ts';

const [dataDirectory = '', port = '0'] = process.argv.slice(2);
const kobune = await startKobune({
  dataDirectory,
  ephemeral: false,
  host: '127.0.0.1',
  port: Number(port),
  iam: 'off',
  unsandboxed: false,
  hosts: [],
  origins: [],
  logger: createLogger({ level: 'error', format: 'text', write: (line) => process.stderr.write(line) }),
  environment: process.env,
  onShutdown: () => {},
});
process.on('SIGTERM', async () => {
  await kobune.close();
  process.exit(0);
});
// The test has ended, whichever way: nothing of it is left behind.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdout.write(`ready ${kobune.endpoint}\n`);
