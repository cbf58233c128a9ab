import { CommandError } from '../../command-error.ts';
import { parseDuration } from '../../duration.ts';
import { EXIT } from '../../exit-codes.ts';
import { printJson } from '../../terminal.ts';
import { allOf } from '../operations/all-of.ts';
import { shortName } from '../operations/containers.ts';
import { mergedByTime } from '../operations/merged-lines.ts';
import { containerLines, type LogOptions, type OutputLine } from '../operations/output-lines.ts';
import { PrefixedOutput } from '../operations/prefixed-output.ts';
import { chosenTargets } from '../operations/project-target.ts';
import type { ComposeContext } from './context.ts';

export interface LogsFlags {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly until?: string;
  readonly timestamps?: boolean;
  readonly color?: boolean;
  readonly logPrefix?: boolean;
  readonly index?: number;
}

/** Prints what the containers of a project have put out, in the order of time; with `--follow` also what comes. */
export async function logs(context: ComposeContext, services: readonly string[], flags: LogsFlags): Promise<void> {
  const target = await context.target();
  const { client } = await context.session();
  const containers = chosenTargets(target, services)
    .flatMap(({ containers: own }) => own)
    .filter(({ number }) => flags.index === undefined || number === flags.index);
  const { terminal } = context;
  const isColored = flags.color !== false && terminal.stdout.isTTY === true && !terminal.environment.NO_COLOR;
  const output = new PrefixedOutput(terminal, {
    color: isColored,
    prefix: flags.logPrefix !== false,
    timestamps: flags.timestamps === true,
  });
  const options: LogOptions = {
    ...(flags.tail === undefined ? {} : { tail: tailOf(flags.tail) }),
    ...(flags.since === undefined ? {} : { since: timeOf(flags.since, '--since') }),
    ...(flags.until === undefined ? {} : { until: timeOf(flags.until, '--until') }),
  };
  for (const container of containers) output.add(shortName(container));
  const write = (container: string, line: OutputLine) => {
    if (context.flags.json !== true) return output.line(container, line);
    const { text, stream, timestamp } = line;
    printJson(terminal, { container, stream, timestamp, message: text });
  };
  if (flags.follow === true) {
    await allOf(containers, async (container) => {
      const name = shortName(container);
      const lines = containerLines(client, container, { ...options, follow: true, timestamps: true });
      for await (const line of lines) write(name, line);
    });
    return;
  }
  const sources = new Map(
    containers.map((container) => [
      shortName(container),
      containerLines(client, container, { ...options, timestamps: true }),
    ]),
  );
  for await (const { source, line } of mergedByTime(sources)) write(source, line);
}

function tailOf(text: string): string {
  if (text === 'all' || /^\d+$/.test(text)) return text;
  throw new CommandError(`--tail ${text} is neither a number nor "all"`, { exitCode: EXIT.usage });
}

/** Epoch seconds of a duration before now, or of a date. */
function timeOf(text: string, option: string): string {
  const ago = parseDuration(text);
  const time = ago === undefined ? Date.parse(text) : Date.now() - ago;
  if (!Number.isNaN(time)) return (time / 1000).toFixed(3);
  throw new CommandError(`${option} ${text} is neither a duration such as 10m nor a time`, { exitCode: EXIT.usage });
}
