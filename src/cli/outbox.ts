import type { OutgoingMessage } from '../gateway/admin/index.ts';
import { accountOf } from './account.ts';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';
import { requireInstance } from './instance.ts';
import { paint, print, printJson, type Terminal } from './terminal.ts';

export interface OutboxOptions {
  readonly json: boolean;
  readonly kind: string | undefined;
  readonly to: string | undefined;
  readonly limit: string | undefined;
  readonly follow: boolean;
  readonly clear: boolean;
}

/** Prints what SNS sent to people and devices, or deletes it; with `follow`, goes on until Ctrl-C. */
export async function outbox(terminal: Terminal, directory: string, options: OutboxOptions): Promise<void> {
  if (options.limit !== undefined && !/^[1-9]\d{0,4}$/.test(options.limit)) {
    throw new CommandError(`--limit ${options.limit} is not a number from 1 to 10000`, { exitCode: EXIT.usage });
  }
  const { client } = await requireInstance(directory);
  const query = new URLSearchParams({ account: accountOf(terminal.environment.AWS_ACCESS_KEY_ID) });
  for (const name of ['kind', 'to', 'limit'] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  if (options.clear) {
    const { deleted } = await client.delete<{ deleted: number }>(`outbox?${query}`);
    if (options.json) printJson(terminal, { deleted });
    else print(terminal, `${deleted} ${deleted === 1 ? 'message' : 'messages'} deleted.`);
    return;
  }
  if (options.follow) {
    query.set('follow', 'true');
    for await (const message of client.lines<OutgoingMessage>(`outbox?${query}`)) show(terminal, message, options.json);
    return;
  }
  const { messages } = await client.get<{ messages: readonly OutgoingMessage[] }>(`outbox?${query}`);
  for (const message of messages) show(terminal, message, options.json);
  if (messages.length === 0 && !options.json) print(terminal, 'Nothing was sent.');
}

function show(terminal: Terminal, message: OutgoingMessage, json: boolean): void {
  if (json) {
    printJson(terminal, message);
    return;
  }
  const { body, from, kind, subject, time, to } = message;
  print(terminal, `${paint(terminal, 'gray', new Date(time).toISOString())} ${kind} to ${paint(terminal, 'bold', to)}`);
  if (from !== undefined) print(terminal, `  From: ${from}`);
  if (subject !== undefined) print(terminal, `  Subject: ${subject}`);
  for (const line of body.trimEnd().split('\n')) print(terminal, line === '' ? '' : `  ${line}`);
  print(terminal);
}
