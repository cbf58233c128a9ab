import { CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { UserError } from '../base/errors.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { createProgram } from './program.ts';
import { paint, type Terminal } from './terminal.ts';

const terminal: Terminal = {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  workingDirectory: process.cwd(),
};

// A reader that has gone (`kobune logs | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await createProgram(terminal, manifest.version, (code) => {
    process.exitCode = code;
  }).parseAsync(process.argv);
} catch (error) {
  process.exitCode = tell(error);
}

/** Says what went wrong, where and what to do; returns the exit status. */
function tell(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof UserError)) {
    const detail = error instanceof Error ? error.stack : String(error);
    process.stderr.write(`kobune: this should not have happened\n${detail}\n`);
    return EXIT.failure;
  }
  const { message, hint } = error;
  if (message !== '')
    process.stderr.write(`${paint({ ...terminal, stdout: process.stderr }, 'red', 'kobune:')} ${message}\n`);
  if (hint !== undefined) process.stderr.write(`  ${hint}\n`);
  return error instanceof CommandError ? error.exitCode : EXIT.failure;
}
