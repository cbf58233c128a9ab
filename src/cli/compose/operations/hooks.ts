import { CommandError } from '../../command-error.ts';
import { outputChunks } from '../../docker-client/output-frames.ts';
import type { Hook } from '../model/hook.ts';
import type { Session } from './session.ts';

export type HookSpec = Hook;

/** The end of what a hook that failed has put out. */
const LONGEST_OUTPUT = 2000;

/** Runs a command of `post_start` or `pre_stop` in a container. Throws when it fails, with what it put out. */
export async function runHook(
  { client }: Session,
  { id, name }: { readonly id: string; readonly name: string },
  hook: HookSpec,
): Promise<void> {
  const { Id: exec } = await client.json<{ Id: string }>('POST', `/containers/${id}/exec`, {
    body: {
      Cmd: hook.command,
      AttachStdout: true,
      AttachStderr: true,
      Env: [...(hook.environment ?? [])].flatMap(([key, value]) => (value === null ? [] : [`${key}=${value}`])),
      ...(hook.user === undefined ? {} : { User: hook.user }),
      ...(hook.working_dir === undefined ? {} : { WorkingDir: hook.working_dir }),
      ...(hook.privileged === undefined ? {} : { Privileged: hook.privileged }),
    },
  });
  const { socket, head } = await client.hijack(`/exec/${exec}/start`, { body: { Detach: false, Tty: false } });
  if (head.length > 0) socket.unshift(head);
  socket.end();
  let output = '';
  for await (const { bytes } of outputChunks(socket, false)) output = (output + bytes).slice(-LONGEST_OUTPUT);
  const { ExitCode: code } = await client.json<{ ExitCode: number }>('GET', `/exec/${exec}/json`);
  if (code === 0) return;
  throw new CommandError(`${name}: "${hook.command.join(' ')}" ended with ${code}`, {
    ...(output.trim() === '' ? {} : { hint: output.trim() }),
  });
}
