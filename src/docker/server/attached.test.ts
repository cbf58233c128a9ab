import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { AttachedStreams, OutputChunk } from '../../containers/index.ts';
import { serveStreams } from './attached.ts';

/** Two ends of a connection that holds little. */
function connectionPair(): { readonly client: Duplex; readonly server: Duplex } {
  const make = (): Duplex & { other?: Duplex; waiting?: () => void } =>
    new Duplex({
      highWaterMark: 1024,
      read(this: Duplex & { waiting?: () => void }) {
        const { waiting } = this;
        delete this.waiting;
        waiting?.();
      },
      write(this: Duplex & { other?: Duplex & { waiting?: () => void } }, chunk, _encoding, done) {
        if (this.other!.push(chunk)) done();
        else this.other!.waiting = done;
      },
      final(this: Duplex & { other?: Duplex }, done) {
        this.other!.push(null);
        done();
      },
    });
  const [client, server] = [make(), make()];
  client.other = server;
  server.other = client;
  return { client, server };
}

interface Process extends AttachedStreams {
  readonly typed: Buffer[];
  produced: number;
}

/** A process that says `count` chunks, and takes input as `takes` lets it. */
function processOf(
  chunks: readonly OutputChunk[],
  takes: (chunk: Buffer, done: () => void) => void = (_, done) => done(),
): Process {
  const typed: Buffer[] = [];
  const stdin = new Writable({
    highWaterMark: 1024,
    write: (chunk: Buffer, _encoding, done) => {
      typed.push(chunk);
      takes(chunk, done);
    },
  });
  const counted = { produced: 0 };
  const output = (async function* () {
    for (const chunk of chunks) {
      counted.produced += 1;
      yield chunk;
    }
  })();
  return Object.assign(counted, { typed, stdin, output, detach: () => {} });
}

/** The output of a process that says nothing, and ends then. */
async function* silentUntil(end: Promise<unknown>): AsyncGenerator<OutputChunk> {
  await end;
  yield* [];
}

const never = new AbortController().signal;
const options = { raw: true, detachKeys: undefined, ending: never };
const said = (text: string, stream: OutputChunk['stream'] = 'stdout'): OutputChunk => ({
  stream,
  bytes: Buffer.from(text),
});

describe('an attached process', () => {
  it('tells which stream its output is of, unless it is raw', async () => {
    const { client, server } = connectionPair();
    const reading = client.toArray();
    await serveStreams(processOf([said('out'), said('err', 'stderr')]), server, { ...options, raw: false });
    server.end();
    const bytes = Buffer.concat(await reading);
    assert.deepEqual(
      [...bytes],
      [1, 0, 0, 0, 0, 0, 0, 3, ...Buffer.from('out'), 2, 0, 0, 0, 0, 0, 0, 3, ...Buffer.from('err')],
    );
  });

  it('waits while its client does not read', async () => {
    const { client, server } = connectionPair();
    const process = processOf(Array.from({ length: 100 }, () => said('x'.repeat(1000))));
    const served = serveStreams(process, server, options);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    assert.ok(process.produced < 10, `${process.produced} chunks were made for nobody`);
    const reading = client.toArray();
    await served;
    server.end();
    assert.equal(Buffer.concat(await reading).length, 100_000);
  });

  it('makes its client wait while it does not read', async () => {
    const { client, server } = connectionPair();
    const waiting: (() => void)[] = [];
    const process = processOf([], (_, done) => waiting.push(done));
    const endless = {
      ...process,
      output: silentUntil(once(server, 'close')),
    };
    const served = serveStreams(endless, server, options);
    let sent = 0;
    while (client.write('x'.repeat(1000)) && sent < 1000) {
      sent += 1;
      await turn();
    }
    assert.ok(sent < 10, `${sent} chunks were taken for nobody`);
    server.destroy();
    client.destroy();
    await served;
  });

  it('has its input ended when the client has ended its half, and goes on', async () => {
    const { client, server } = connectionPair();
    const process = processOf([]);
    const ended = once(process.stdin!, 'finish');
    const output = (async function* (): AsyncGenerator<OutputChunk> {
      await ended;
      yield said('after');
    })();
    const reading = client.toArray();
    client.end('last words');
    await serveStreams({ ...process, output }, server, options);
    server.end();
    assert.equal(Buffer.concat(await reading).toString(), 'after');
    assert.equal(Buffer.concat(process.typed).toString(), 'last words');
  });

  it('is left by the detach keys, without its input ended', async () => {
    const { client, server } = connectionPair();
    const process = processOf([]);
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const output = silentUntil(left);
    client.write('typed\u0010');
    client.write('\u0011 and more');
    const detached = await serveStreams({ ...process, output, detach: leave }, server, {
      ...options,
      detachKeys: [0x10, 0x11],
    });
    assert.equal(detached, true);
    assert.equal(Buffer.concat(process.typed).toString(), 'typed');
    assert.equal(process.stdin!.writableEnded, false);
  });

  it('is left when Kobune stops, and when the client goes', async () => {
    for (const how of ['stop', 'go'] as const) {
      const { server } = connectionPair();
      const ending = new AbortController();
      let leave = () => {};
      const left = new Promise<void>((resolve) => {
        leave = resolve;
      });
      const output = silentUntil(left);
      const served = serveStreams({ stdin: undefined, output, detach: leave }, server, {
        ...options,
        ending: ending.signal,
      });
      if (how === 'stop') ending.abort();
      else server.destroy();
      assert.equal(await served, false);
    }
  });
});
