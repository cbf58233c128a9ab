import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';
import { execInContainer } from '../operations/conversation.ts';
import { chosenTargets } from '../operations/project-target.ts';
import type { ComposeContext } from './context.ts';
import { containerAt } from './listing.ts';

export interface ExecFlags {
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  /** `-T`, `--no-tty` */
  readonly tty?: boolean;
  readonly index?: number;
  readonly privileged?: boolean;
  readonly interactive?: boolean;
}

/** Runs a command in a service's running container; resolves to its exit status. */
export async function exec(
  context: ComposeContext,
  service: string,
  command: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  const target = await context.target();
  const { client } = await context.session();
  const container = containerAt(chosenTargets(target, [service])[0]!, flags.index);
  if (container.state !== 'running')
    throw new CommandError(`${container.name} does not run`, {
      hint: `It is ${container.state}. Start it with "kobune compose start".`,
    });
  return execInContainer(client, context.terminal, container.id, {
    command,
    tty: wantsTerminal(context, flags),
    stdin: flags.interactive !== false,
    detach: flags.detach === true,
    environment: (flags.env ?? []).map((word) => variableOf(context, word)),
    user: flags.user,
    workingDirectory: flags.workdir,
    privileged: flags.privileged === true,
  });
}

/** A terminal is given where there is one, unless it is not wanted. */
export function wantsTerminal(
  { terminal }: ComposeContext,
  { tty, detach }: Pick<ExecFlags, 'tty' | 'detach'>,
): boolean {
  return tty !== false && detach !== true && process.stdin.isTTY === true && terminal.stdout.isTTY === true;
}

/** `NAME=value`, or `NAME` with the value that it has here. */
export function variableOf({ terminal }: ComposeContext, word: string): string {
  if (word.includes('=')) return word;
  const value = terminal.environment[word];
  if (value !== undefined) return `${word}=${value}`;
  throw new CommandError(`the variable ${word} is not set`, { exitCode: EXIT.usage, hint: `Write ${word}=VALUE.` });
}
