import type { LogEntry } from '../gateway/admin/index.ts';
import { accountOf } from './account.ts';
import { CommandError } from './command-error.ts';
import { parseDuration } from './duration.ts';
import { EXIT } from './exit-codes.ts';
import { requireInstance } from './instance.ts';
import { paint, print, printJson, type Terminal } from './terminal.ts';

export interface LogsOptions {
  readonly json: boolean;
  readonly follow: boolean;
  /** A duration before now, such as `10m`. */
  readonly since: string | undefined;
  readonly filter: string | undefined;
}

/** Prints the log of a function, or of any log group when `name` has a slash; with `follow`, goes on until Ctrl-C. */
export async function logs(terminal: Terminal, directory: string, name: string, options: LogsOptions): Promise<void> {
  const { client, status } = await requireInstance(directory);
  const query = new URLSearchParams({
    group: name.includes('/') ? name : `/aws/lambda/${name}`,
    region: terminal.environment.AWS_REGION || terminal.environment.AWS_DEFAULT_REGION || 'us-east-1',
    account: accountOf(terminal.environment.AWS_ACCESS_KEY_ID),
  });
  if (options.follow) query.set('follow', 'true');
  if (options.filter !== undefined) query.set('filter', options.filter);
  if (options.since !== undefined) query.set('since', String(since(options.since, Date.parse(status.clock.now))));
  for await (const entry of client.lines<LogEntry>(`logs?${query}`)) {
    if (options.json) printJson(terminal, entry);
    else
      print(terminal, `${paint(terminal, 'gray', new Date(entry.timestamp).toISOString())} ${entry.message.trimEnd()}`);
  }
}

function since(text: string, now: number): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return now - ago;
  throw new CommandError(`"${text}" is not a duration`, {
    exitCode: EXIT.usage,
    hint: 'Write 90s, 15m, 24h or 1d12h.',
  });
}
