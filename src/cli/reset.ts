import { requireInstance } from './instance.ts';
import { print, printJson, type Terminal } from './terminal.ts';

/** Deletes all state of a running Kobune, or that of one service. */
export async function reset(
  terminal: Terminal,
  directory: string,
  { json, service }: { json: boolean; service: string | undefined },
): Promise<void> {
  const { client } = await requireInstance(directory);
  await client.post('reset', { service });
  if (json) printJson(terminal, { reset: service ?? 'all' });
  else print(terminal, `${service === undefined ? 'Everything' : `Everything of ${service}`} has been deleted.`);
}
