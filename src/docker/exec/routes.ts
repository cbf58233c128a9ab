import { ServiceError } from '../../base/errors.ts';
import { execBody, execStartBody } from '../containers/config-shape.ts';
import { toTerminalSize } from '../containers/container-spec.ts';
import { readSize } from '../containers/lifecycle.ts';
import { serveStreams } from '../server/attached.ts';
import { readDetachKeys } from '../server/detach-keys.ts';
import { frame, streamType } from '../server/multiplexed-stream.ts';
import { type Answer, type Call, empty, json, type Route } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';

/** What a client said of an exec that only this API has a use for; by ID, until it has ended. */
interface ExecNotes {
  readonly detachKeys: string;
}

/** More that were created and never started than this are forgotten, oldest first: then they have the usual detach keys. */
const MOST_NOTES = 10_000;

const notesByHost = new WeakMap<object, Map<string, ExecNotes>>();

/** Execs whose start is under way: a client sends the size of its terminal as soon as the connection is open, and not again. */
const startingByHost = new WeakMap<object, Map<string, Promise<unknown>>>();

function startingOf({ host }: Call): Map<string, Promise<unknown>> {
  const starting = startingByHost.get(host) ?? new Map<string, Promise<unknown>>();
  startingByHost.set(host, starting);
  return starting;
}

function notesOf({ host }: Call): Map<string, ExecNotes> {
  const notes = notesByHost.get(host) ?? new Map<string, ExecNotes>();
  notesByHost.set(host, notes);
  return notes;
}

async function containerExec(call: Call): Promise<Answer> {
  const body = await call.json(execBody);
  if (body.Cmd === null || body.Cmd.length === 0) throw invalid('No exec command specified');
  readDetachKeys(body.DetachKeys);
  const engine = await call.host.engine();
  const exec = await engine.createExec(call.parameters.id!, {
    command: body.Cmd,
    environment: body.Env ?? [],
    ...(body.WorkingDir === '' ? {} : { workingDirectory: body.WorkingDir }),
    ...(body.User === '' ? {} : { user: body.User }),
    tty: body.Tty,
    ...(body.ConsoleSize === null ? {} : { terminalSize: toTerminalSize(body.ConsoleSize) }),
    attachStdin: body.AttachStdin,
    attachStdout: body.AttachStdout,
    attachStderr: body.AttachStderr,
    privileged: body.Privileged,
  });
  const notes = notesOf(call);
  if (notes.size >= MOST_NOTES) notes.delete(notes.keys().next().value!);
  if (body.DetachKeys !== '') notes.set(exec.id, { detachKeys: body.DetachKeys });
  return json({ Id: exec.id }, 201);
}

async function execStart(call: Call): Promise<Answer> {
  const { api, parameters } = call;
  const body = (await call.optionalJson(execStartBody)) ?? { Detach: false, Tty: false, ConsoleSize: null };
  const engine = await call.host.engine();
  const exec = await engine.getExec(parameters.id!);
  if (exec.running) throw conflict(`exec ${exec.id} is already running`);
  if (exec.exitCode !== undefined) throw conflict(`exec ${exec.id} has already run`);
  if (body.ConsoleSize !== null && !body.Tty) throw invalid('console size is only supported when TTY is enabled');
  const notes = notesOf(call).get(exec.id);
  notesOf(call).delete(exec.id);
  const size = body.ConsoleSize === null ? undefined : toTerminalSize(body.ConsoleSize);
  if (body.Detach) {
    await engine.startExec(exec.id, { detach: true, size });
    return empty(200);
  }
  const { tty } = exec.spec;
  const keys = readDetachKeys(notes?.detachKeys ?? '');
  const { promise: started, resolve: tellStarted } = Promise.withResolvers<void>();
  startingOf(call).set(exec.id, started);
  const startIsOver = () => {
    startingOf(call).delete(exec.id);
    tellStarted();
  };
  call.gone.addEventListener('abort', startIsOver);
  return {
    kind: 'raw',
    contentType: streamType(api, tty),
    run: async (connection) => {
      try {
        const streams = await engine.startExec(exec.id, { detach: false, tty, size }).finally(startIsOver);
        if (streams === undefined) return;
        const detachKeys = tty && exec.spec.attachStdin ? keys : undefined;
        await serveStreams(streams, connection, { raw: tty, detachKeys, ending: call.ending });
      } catch (error) {
        // The answer has begun, so what went wrong is told as output. Source: what dockerd sends for a command that is not there.
        if (!(error instanceof ServiceError)) throw error;
        const bytes = Buffer.from(`${error.message}\r\n`);
        connection.write(tty ? bytes : frame({ stream: 'stdout', bytes }));
      }
    },
  };
}

async function execResize(call: Call): Promise<Answer> {
  // Source: dockerd waits for the start, too.
  await startingOf(call).get(call.parameters.id!);
  await (await call.host.engine()).resizeExec(call.parameters.id!, readSize(call));
  return empty(200);
}

async function execInspect(call: Call): Promise<Answer> {
  const exec = await (await call.host.engine()).getExec(call.parameters.id!);
  const { spec } = exec;
  const [entrypoint = '', ...parameters] = spec.command;
  return json({
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: spec.tty,
      entrypoint,
      arguments: parameters,
      privileged: spec.privileged,
      ...(spec.user === undefined ? {} : { user: spec.user }),
    },
    OpenStdin: spec.attachStdin,
    OpenStderr: spec.attachStderr,
    OpenStdout: spec.attachStdout,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: notesOf(call).get(exec.id)?.detachKeys ?? '',
    Pid: exec.pid,
  });
}

function conflict(message: string): ServiceError {
  return new ServiceError('Conflict', message, { status: 409 });
}

export const execRoutes: readonly Route[] = [
  { method: 'POST', path: '/containers/{id}/exec', operation: 'ContainerExec', handle: containerExec },
  { method: 'POST', path: '/exec/{id}/start', operation: 'ExecStart', handle: execStart },
  { method: 'POST', path: '/exec/{id}/resize', operation: 'ExecResize', handle: execResize },
  { method: 'GET', path: '/exec/{id}/json', operation: 'ExecInspect', handle: execInspect },
];
