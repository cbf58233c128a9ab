import type { ClockChange, ClockState } from '../gateway/admin/index.ts';
import { CommandError } from './command-error.ts';
import { parseDuration } from './duration.ts';
import { EXIT } from './exit-codes.ts';
import { requireInstance } from './instance.ts';
import { print, printJson, type Terminal } from './terminal.ts';

/** Shows Kobune's time, or changes it first. */
export async function clock(
  terminal: Terminal,
  directory: string,
  { json, change }: { json: boolean; change: ClockChange | undefined },
): Promise<void> {
  const { client } = await requireInstance(directory);
  const state = change ? await client.post<ClockState>('clock', change) : await client.get<ClockState>('clock');
  if (json) return printJson(terminal, state);
  const ahead = state.offsetMs === 0 ? '' : ` (${state.offsetMs / 1000} s from the machine's clock)`;
  print(terminal, `${state.now}${ahead}${state.frozen ? ', frozen' : ''}`);
}

/** Moves it forward by a duration such as `24h`. */
export async function advance(
  terminal: Terminal,
  directory: string,
  { json, duration }: { json: boolean; duration: string },
): Promise<void> {
  await clock(terminal, directory, { json, change: advanceBy(duration) });
}

function advanceBy(text: string): ClockChange {
  const advanceMs = parseDuration(text);
  if (advanceMs !== undefined) return { advanceMs };
  throw new CommandError(`"${text}" is not a duration`, {
    exitCode: EXIT.usage,
    hint: 'Write 500ms, 90s, 15m, 24h or 1d12h.',
  });
}
