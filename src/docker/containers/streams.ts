import { ServiceError } from '../../base/errors.ts';
import type { Container, LogOptions } from '../../containers/index.ts';
import { serveStreams } from '../server/attached.ts';
import { readDetachKeys } from '../server/detach-keys.ts';
import { frame, streamType } from '../server/multiplexed-stream.ts';
import { writeTo } from '../server/raw-connection.ts';
import type { Answer, Call } from '../server/route.ts';
import { checkHandshake } from '../server/websocket.ts';
import { invalid, readWhole } from '../shapes/shape.ts';
import { readExactTime } from '../shapes/timestamp.ts';

export async function containerAttach(call: Call): Promise<Answer> {
  const { query, api } = call;
  const detachKeys = readDetachKeys(query.text('detachKeys'));
  const container = await attachable(call);
  const { tty } = container.spec;
  const [stdout, stderr, logs] = [query.flag('stdout'), query.flag('stderr'), query.flag('logs')];
  if (!query.flag('stream')) return logs ? oldOutput(call, container, { stdout, stderr }) : nothing(api, tty);
  const engine = await call.host.engine();
  const stdin = query.flag('stdin') && container.spec.openStdin;
  const streams = await engine.attach(container.id, { stdin, stdout, stderr, logs });
  return {
    kind: 'raw',
    contentType: streamType(api, tty),
    run: async (connection) => {
      const detached = await serveStreams(streams, connection, {
        raw: tty,
        detachKeys: tty && stdin ? detachKeys : undefined,
        ending: call.ending,
      });
      if (detached) noteDetached(call, container);
    },
  };
}

export async function containerAttachWebsocket(call: Call): Promise<Answer> {
  const { query, api } = call;
  checkHandshake(call);
  const detachKeys = readDetachKeys(query.text('detachKeys'));
  const container = await attachable(call);
  const { tty } = container.spec;
  // Before 1.42 all streams were attached, whatever was asked for.
  const wanted = (name: string) => api < 42 || query.flag(name);
  const engine = await call.host.engine();
  const stdin = wanted('stdin') && container.spec.openStdin;
  const streams = await engine.attach(container.id, {
    stdin,
    stdout: wanted('stdout'),
    stderr: wanted('stderr'),
    logs: query.flag('logs'),
  });
  return {
    kind: 'websocket',
    run: async (connection) => {
      const options = { raw: true, detachKeys: tty && stdin ? detachKeys : undefined, ending: call.ending };
      if (await serveStreams(streams, connection, options)) noteDetached(call, container);
      connection.end();
    },
  };
}

function noteDetached(call: Call, { id, name, spec }: Container): void {
  call.host.events.add('container', 'detach', id, { ...spec.labels, image: spec.image.reference, name });
}

async function attachable(call: Call): Promise<Container> {
  const container = await (await call.host.engine()).get(call.parameters.id!);
  const { status } = container.state;
  if (status === 'paused') throw busy(`container ${call.parameters.id} is paused, unpause the container before attach`);
  if (status === 'restarting') {
    throw busy(`container ${call.parameters.id} is restarting, wait until the container is running`);
  }
  return container;
}

function busy(message: string): ServiceError {
  return new ServiceError('Conflict', message, { status: 409 });
}

/** What the container has said so far, in the form of an attached stream. */
function oldOutput(call: Call, container: Container, wanted: Pick<LogOptions, 'stdout' | 'stderr'>): Answer {
  const { tty } = container.spec;
  return {
    kind: 'raw',
    contentType: streamType(call.api, tty),
    run: async (connection) => {
      const engine = await call.host.engine();
      for await (const line of engine.logs(container.id, { ...wanted, follow: false, signal: call.gone })) {
        if (!(await writeTo(connection, tty ? line.bytes : frame(line)))) return;
      }
    },
  };
}

function nothing(api: number, tty: boolean): Answer {
  return { kind: 'raw', contentType: streamType(api, tty), run: async () => {} };
}

export async function containerLogs(call: Call): Promise<Answer> {
  const { query, api } = call;
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')];
  if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream');
  const engine = await call.host.engine();
  const container = await engine.get(call.parameters.id!);
  if (container.spec.log.driver === 'none') {
    throw new ServiceError('NotImplemented', 'configured logging driver does not support reading', { status: 501 });
  }
  const [since, until] = [readExactTime(query.text('since'), 'since'), readExactTime(query.text('until'), 'until')];
  const tail = readTail(query.text('tail'));
  const follow = query.flag('follow');
  const lines = engine.logs(container.id, {
    stdout,
    stderr,
    follow,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(tail === undefined ? {} : { tail }),
    signal: call.ending,
  });
  const [timestamps, details] = [query.flag('timestamps'), query.flag('details')];
  const { tty } = container.spec;
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const line of lines) {
      // Details are attributes that a log option asks for; there are none, which leaves their separator.
      const prefix = `${timestamps ? `${line.time} ` : ''}${details ? ' ' : ''}`;
      const bytes = prefix === '' ? line.bytes : Buffer.concat([Buffer.from(prefix), line.bytes]);
      yield tty ? bytes : frame({ stream: line.stream, bytes });
    }
  }
  return { kind: 'stream', status: 200, headers: { 'content-type': streamType(api, tty) }, source: source() };
}

/** `all`, or how many; what is negative means all, too. */
function readTail(value: string): number | undefined {
  if (value === '' || value === 'all') return undefined;
  const lines = readWhole(value, 'tail');
  return lines < 0 ? undefined : lines;
}
