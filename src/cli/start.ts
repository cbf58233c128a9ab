/**
 * `npm start`: starts Kobune, makes thumbnails with it, and goes on serving. `--once` ends after the thumbnails, with
 * status 0 only if every step worked.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../base/errors.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { runServer } from './server.ts';
import { readSettings, type Settings } from './settings.ts';
import { accessKey } from './variables.ts';

const { values: flags } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const end = new AbortController();
let worked = false;

const print = (line: string) => process.stdout.write(`${line}\n`);

async function demonstrate(settings: Settings, endpoint: string): Promise<void> {
  print(`Kobune serves at ${endpoint}`);
  try {
    const { runDemo } = await import('../../examples/thumbnails/deploy.ts');
    worked = await runDemo({ endpoint, credentials: await accessKey(settings.iam, settings.data), print });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  if (flags.once) end.abort();
  else print(worked ? nextSteps(settings, endpoint) : 'The example failed; serving all the same until Ctrl-C.');
}

function nextSteps({ data }: Settings, endpoint: string): string {
  return `
What to try next, in another terminal, in this directory:
  npm run build                                                  # makes the command
  eval "$(npx kobune env --data ${data})"
  aws --endpoint-url ${endpoint} s3 cp YOUR.jpg s3://pictures/node/
  aws --endpoint-url ${endpoint} s3 ls --recursive s3://thumbnails
  npx kobune logs -f thumbnail-node --data ${data}
  npx kobune doctor                                              # what this machine can do
README.md has a tour. Serving until Ctrl-C.`;
}

try {
  const here = process.cwd();
  const defaults = process.env.KOBUNE_DATA === undefined ? { data: join(here, '.kobune') } : {};
  const settings = await readSettings({ flags: defaults, environment: process.env, workingDirectory: here });
  await runServer(
    { ...settings, logLevel: 'warn' },
    { logTo: process.stderr, ready: ({ endpoint }) => void demonstrate(settings, endpoint), signal: end.signal },
  );
  if (flags.once && !worked) process.exitCode = EXIT.failure;
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`kobune: ${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`);
  process.exitCode = error instanceof CommandError ? error.exitCode : EXIT.failure;
}
