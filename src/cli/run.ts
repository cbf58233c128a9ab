import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CommandError } from './command-error.ts';
import { requireInstance } from './instance.ts';
import type { Terminal } from './terminal.ts';
import { variablesOf } from './variables.ts';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Runs a command with the variables of a running Kobune; resolves to its exit status (128 + n for signal n). */
export async function run(terminal: Terminal, directory: string, command: readonly string[]): Promise<number> {
  const { set, unset } = await variablesOf(await requireInstance(directory), directory, terminal.environment);
  const environment = { ...terminal.environment, ...set };
  for (const name of unset) delete environment[name];
  const [program, ...words] = command;
  const child = spawn(program!, words, { stdio: 'inherit', env: environment });
  const passOn = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'ENOENT'
            ? new CommandError(`there is no command "${program}"`, { hint: 'Check its name and your PATH.' })
            : error,
        ),
      );
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
    });
  } finally {
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}
