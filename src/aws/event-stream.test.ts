import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { EventStreamCodec, Int64 } from '@smithy/core/event-streams';
import { ServiceError } from '../base/errors.ts';
import { decodeMessages, type EventMessage, encodeMessage } from './codec/event-stream-frames.ts';
import { JsonCodec } from './codec/json.ts';
import { decodeEventStream, type EventBodies, encodeEventStream } from './protocols/event-stream.ts';
import { type Member, ShapeReader, type StructureShape } from './schema/shape.ts';

/** The SDK's own reading and writing of messages. */
const sdk = new EventStreamCodec(
  (bytes) => Buffer.from(bytes as Uint8Array).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

const message: EventMessage = {
  headers: {
    text: 'é',
    yes: true,
    no: false,
    integer: { integer: -5 },
    long: 2n ** 40n,
    bytes: Buffer.from([1, 2]),
    time: new Date(1_700_000_000_000),
  },
  body: Buffer.from('body'),
};

async function decoded(chunks: readonly Uint8Array[]): Promise<EventMessage[]> {
  const messages: EventMessage[] = [];
  for await (const item of decodeMessages(Readable.from(chunks))) messages.push(item);
  return messages;
}

describe('event stream messages', () => {
  it('are read by the SDK as they were written here', () => {
    const { headers, body } = sdk.decode(encodeMessage(message));
    assert.equal(Buffer.from(body).toString(), 'body');
    assert.equal(headers.text!.value, 'é');
    assert.deepEqual([headers.yes!.value, headers.no!.value, headers.integer!.value], [true, false, -5]);
    assert.equal(String(headers.long!.value), String(2 ** 40));
    assert.deepEqual(headers.time!.value, new Date(1_700_000_000_000));
  });

  it('are read here as the SDK writes them, however they are cut', async () => {
    const bytes = sdk.encode({
      headers: {
        text: { type: 'string', value: 'é' },
        yes: { type: 'boolean', value: true },
        byte: { type: 'byte', value: 7 },
        short: { type: 'short', value: -300 },
        integer: { type: 'integer', value: 70_000 },
        long: { type: 'long', value: Int64.fromNumber(-(2 ** 40)) },
        bytes: { type: 'binary', value: new Uint8Array([9]) },
        time: { type: 'timestamp', value: new Date(5000) },
        id: { type: 'uuid', value: '01234567-89ab-cdef-0123-456789abcdef' },
      },
      body: Buffer.from('payload'),
    });
    const twice = Buffer.concat([bytes, bytes]);
    for (const size of [1, 7, 64, 1000]) {
      const chunks = Array.from({ length: Math.ceil(twice.length / size) }, (_, i) =>
        twice.subarray(i * size, (i + 1) * size),
      );
      const messages = await decoded(chunks);
      assert.equal(messages.length, 2);
      const { headers, body } = messages[1]!;
      assert.equal(Buffer.from(body).toString(), 'payload');
      assert.deepEqual(
        [headers.text, headers.yes, headers.long, headers.time],
        ['é', true, -(2n ** 40n), new Date(5000)],
      );
      assert.deepEqual(
        [headers.byte, headers.short, headers.integer],
        [{ integer: 7 }, { integer: -300 }, { integer: 70_000 }],
      );
      assert.equal(Buffer.from(headers.id as Uint8Array).toString('hex'), '0123456789abcdef0123456789abcdef');
    }
  });

  it('are refused when they are damaged, cut short or announce too much', async () => {
    const bytes = encodeMessage(message);
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0xff;
      await assert.rejects(decoded([damaged]), { name: 'MalformedInput' }, `byte ${at}`);
    }
    await assert.rejects(decoded([bytes.subarray(0, -1)]), { name: 'MalformedInput' });
  });
});

/** A union of one event with a header and a payload, one with a body, and an error. */
const union = new ShapeReader().read([
  4,
  'ns',
  'Events',
  { streaming: 1 },
  ['Chunk', 'Progress', 'Broken'],
  [
    () => [
      3,
      'ns',
      'Chunk',
      0,
      ['Index', 'Data'],
      [
        [1, { eventHeader: 1 }],
        [21, { eventPayload: 1 }],
      ],
    ],
    () => [3, 'ns', 'Progress', 0, ['Done'], [1]],
    () => [-3, 'ns', 'BrokenException', { error: 'server' }, ['message'], [0]],
  ],
]) as StructureShape;

const json = new JsonCodec({ jsonNames: false });
const bodies: EventBodies = {
  contentType: 'application/json',
  encode: (shape, value) => json.encode(shape, value),
  decode: (shape, body) => json.decode(shape, body),
};

describe('events', () => {
  it('come in as they went out', async () => {
    const events = [
      { Chunk: { Index: 3, Data: Buffer.from('abc') } },
      { Progress: { Done: 2 ** 40 } },
      { Chunk: { Data: Buffer.alloc(0) } },
    ];
    const out = encodeEventStream(union, Readable.from(events), bodies);
    const got: unknown[] = [];
    for await (const event of decodeEventStream(union, out, bodies)) got.push(event);
    assert.deepEqual(got, events);
  });

  it('may be wrapped in signed messages, of which the empty one is the last', async () => {
    const signed = (body: Uint8Array) =>
      encodeMessage({ headers: { ':date': new Date(0), ':chunk-signature': Buffer.alloc(32) }, body });
    const inner = encodeMessage({
      headers: { ':event-type': 'Progress', ':message-type': 'event' },
      body: Buffer.from('{"Done":1}'),
    });
    const got: unknown[] = [];
    const source = Readable.from([signed(inner), signed(Buffer.alloc(0)), signed(inner)]);
    for await (const event of decodeEventStream(union, source, bodies)) got.push(event);
    assert.deepEqual(got, [{ Progress: { Done: 1 } }]);
  });

  it('that are not in the union are refused', async () => {
    const source = Readable.from([encodeMessage({ headers: { ':event-type': 'constructor' }, body: Buffer.alloc(0) })]);
    await assert.rejects(async () => {
      for await (const _ of decodeEventStream(union, source, bodies));
    }, /Unknown event type 'constructor'/);
  });

  it('end with an exception of the model, or with an error that is not in it', async () => {
    const failing = async (code: string) => {
      const source = (async function* () {
        yield { Progress: { Done: 1 } };
        throw new ServiceError(code, 'why');
      })();
      const messages: EventMessage[] = [];
      for await (const item of decodeMessages(encodeEventStream(union, source, bodies))) messages.push(item);
      return messages.at(-1)!;
    };
    const modelled = await failing('BrokenException');
    assert.deepEqual([modelled.headers[':message-type'], modelled.headers[':exception-type']], ['exception', 'Broken']);
    assert.equal(Buffer.from(modelled.body).toString(), '{"message":"why"}');
    const other = await failing('Throttled');
    assert.deepEqual([other.headers[':message-type'], other.headers[':error-code']], ['error', 'Throttled']);
  });
});

describe('shapes', () => {
  it('keep member traits apart from those of their target, and close over themselves', () => {
    const tree: unknown[] = [
      3,
      'ns',
      'Tree',
      { xmlName: 'tree' },
      ['Left', 'Name', 'Tags'],
      [[() => tree, { xmlName: 'left' }], 0, 64],
      1,
    ];
    const shape = new ShapeReader().read(() => tree) as StructureShape;
    const [left, name, tags] = shape.members as [Member, Member, Member];
    assert.equal(left.shape, shape);
    assert.deepEqual([left.own.xmlName, left.traits.xmlName, shape.traits.xmlName], ['left', 'left', 'tree']);
    assert.deepEqual([left.required, name.required], [true, false]);
    assert.equal(tags.shape.kind === 'list' && tags.shape.element.shape.kind, 'string');
  });
});
