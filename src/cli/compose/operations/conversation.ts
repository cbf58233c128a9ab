import { spawnSync } from 'node:child_process';
import type { Socket } from 'node:net';
import type { DockerClient } from '../../docker-client/client.ts';
import { outputChunks } from '../../docker-client/output-frames.ts';
import type { Terminal } from '../../terminal.ts';

export interface ConversationOptions {
  readonly tty: boolean;
  /** Standard input goes to the process. */
  readonly stdin: boolean;
  /** Tells the engine the terminal's size. */
  readonly resize: (size: { readonly rows: number; readonly columns: number }) => Promise<void>;
}

/** Connects this terminal with a process, until that has ended. */
export async function converse(
  terminal: Terminal,
  { socket, head }: { readonly socket: Socket; readonly head: Buffer },
  { tty, stdin, resize }: ConversationOptions,
): Promise<void> {
  if (head.length > 0) socket.unshift(head);
  const input = process.stdin;
  const isRaw = tty && stdin && input.isTTY === true;
  const tellSize = () => {
    const { rows, columns } = terminal.stdout;
    if (tty && rows && columns) resize({ rows, columns }).catch(() => {});
  };
  // What a slow process has not taken yet waits where it comes from, not in memory.
  const onData = (chunk: Buffer) => void (socket.write(chunk) || input.pause());
  const onDrain = () => void input.resume();
  const onEnd = () => void socket.end();
  if (stdin) {
    if (isRaw) makeRaw(input);
    socket.on('drain', onDrain);
    input.on('data', onData).on('end', onEnd).resume();
  } else socket.end();
  tellSize();
  terminal.stdout.on('resize', tellSize);
  socket.on('error', () => {});
  try {
    for await (const { stream, bytes } of outputChunks(socket, tty)) {
      const target = stream === 'stderr' ? terminal.stderr : terminal.stdout;
      target.write(bytes);
    }
  } catch (error) {
    // A process that ends takes no more input; how it ended is asked for afterwards.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE' && code !== 'ECONNRESET') throw error;
  } finally {
    terminal.stdout.off('resize', tellSize);
    if (stdin) {
      socket.off('drain', onDrain);
      input.off('data', onData).off('end', onEnd).pause();
      if (isRaw) input.setRawMode(false);
    }
    socket.destroy();
  }
}

/**
 * Every key goes to the process, and what it writes to the screen as it is. Node leaves the terminal's own ends of lines on, with which
 * programs that move the cursor downwards by a bare line feed would draw in the wrong columns.
 */
function makeRaw(input: NodeJS.ReadStream): void {
  input.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** Runs a command in a running container, with this terminal's streams; resolves to its exit status. */
export async function execInContainer(
  client: DockerClient,
  terminal: Terminal,
  id: string,
  options: {
    readonly command: readonly string[];
    readonly tty: boolean;
    readonly stdin: boolean;
    readonly detach: boolean;
    readonly environment: readonly string[];
    readonly user: string | undefined;
    readonly workingDirectory: string | undefined;
    readonly privileged: boolean;
  },
): Promise<number> {
  const { tty, stdin, detach } = options;
  const { Id: exec } = await client.json<{ Id: string }>('POST', `/containers/${id}/exec`, {
    body: {
      Cmd: options.command,
      Tty: tty,
      AttachStdin: stdin && !detach,
      AttachStdout: !detach,
      AttachStderr: !detach,
      Env: options.environment,
      Privileged: options.privileged,
      ...(options.user === undefined ? {} : { User: options.user }),
      ...(options.workingDirectory === undefined ? {} : { WorkingDir: options.workingDirectory }),
    },
  });
  if (detach) {
    await client.json('POST', `/exec/${exec}/start`, { body: { Detach: true, Tty: tty } });
    return 0;
  }
  const connection = await client.hijack(`/exec/${exec}/start`, { body: { Detach: false, Tty: tty } });
  await converse(terminal, connection, {
    tty,
    stdin,
    resize: async ({ rows, columns }) =>
      void (await client.json('POST', `/exec/${exec}/resize`, { query: { h: rows, w: columns } })),
  });
  const { ExitCode: code } = await client.json<{ ExitCode: number | null }>('GET', `/exec/${exec}/json`);
  return code ?? 0;
}
