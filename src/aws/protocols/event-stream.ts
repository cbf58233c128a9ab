import { Readable } from 'node:stream';
import { ServiceError } from '../../base/errors.ts';
import { decodeMessages, type EventMessage, encodeMessage, type HeaderValue } from '../codec/event-stream-frames.ts';
import { MalformedInput } from '../codec/malformed.ts';
import type { Member, Shape, StructureShape } from '../schema/shape.ts';

/** How a protocol writes the structures inside events. */
export interface EventBodies {
  readonly contentType: string;
  encode(shape: Shape, value: unknown): Uint8Array | string;
  decode(shape: Shape, body: Uint8Array): unknown;
}

/**
 * Sends the events of an operation's output: each is an object with one member of the union set. A ServiceError thrown
 * by the source becomes an exception event; it ends the stream. Source: Smithy specification, "Event streams".
 */
export function encodeEventStream(
  union: StructureShape,
  events: AsyncIterable<unknown>,
  bodies: EventBodies,
  initial?: { readonly shape: StructureShape; readonly value: unknown },
): Readable {
  return Readable.from(eventMessages(union, events, bodies, initial), { objectMode: false, highWaterMark: 64 * 1024 });
}

async function* eventMessages(
  union: StructureShape,
  events: AsyncIterable<unknown>,
  bodies: EventBodies,
  initial: { readonly shape: StructureShape; readonly value: unknown } | undefined,
): AsyncGenerator<Buffer> {
  if (initial) {
    yield encodeMessage({
      headers: { ':message-type': 'event', ':event-type': 'initial-response', ':content-type': bodies.contentType },
      body: toBytes(bodies.encode(initial.shape, initial.value)),
    });
  }
  try {
    for await (const event of events)
      yield encodeMessage(eventMessage(union, event as Record<string, unknown>, bodies));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    yield encodeMessage(exceptionMessage(union, error, bodies));
  }
}

function eventMessage(
  union: StructureShape,
  event: Readonly<Record<string, unknown>>,
  bodies: EventBodies,
): EventMessage {
  const member = union.members.find(({ name }) => event[name] !== undefined && event[name] !== null);
  if (!member) throw new TypeError(`no event of ${union.name} is set`);
  return memberMessage(member, event[member.name] as Record<string, unknown>, bodies);
}

function memberMessage(member: Member, value: Readonly<Record<string, unknown>>, bodies: EventBodies): EventMessage {
  const error = member.shape.traits.error !== undefined;
  const headers: Record<string, HeaderValue> = {
    ':message-type': error ? 'exception' : 'event',
    [error ? ':exception-type' : ':event-type']: member.name,
  };
  const shape = member.shape as StructureShape;
  const payload = shape.members?.find(({ traits }) => traits.eventPayload !== undefined);
  for (const part of shape.members ?? []) {
    const item = value[part.name];
    if (part.traits.eventHeader === undefined || item === undefined || item === null) continue;
    headers[part.name] = headerValue(part.shape, item);
  }
  if (!payload) {
    headers[':content-type'] = bodies.contentType;
    return { headers, body: toBytes(bodies.encode(shape, withoutHeaders(shape, value))) };
  }
  const item = value[payload.name];
  if (payload.shape.kind === 'blob' || payload.shape.kind === 'string') {
    headers[':content-type'] = payload.shape.kind === 'blob' ? 'application/octet-stream' : 'text/plain';
    return { headers, body: toBytes((item ?? '') as Uint8Array | string) };
  }
  headers[':content-type'] = bodies.contentType;
  return { headers, body: toBytes(bodies.encode(payload.shape, item ?? {})) };
}

function exceptionMessage(union: StructureShape, error: ServiceError, bodies: EventBodies): EventMessage {
  const member = union.members.find(({ name, shape }) => shape.name === error.code || name === error.code);
  if (member) {
    const named = (member.shape as StructureShape).members.find(({ name }) => /^message$/i.test(name));
    return memberMessage(member, { ...error.members, ...(named && { [named.name]: error.message }) }, bodies);
  }
  return {
    headers: { ':message-type': 'error', ':error-code': error.code, ':error-message': error.message },
    body: new Uint8Array(0),
  };
}

function withoutHeaders(shape: StructureShape, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result = { ...value };
  for (const { name, traits } of shape.members) if (traits.eventHeader !== undefined) delete result[name];
  return result;
}

function headerValue(shape: Shape, value: unknown): HeaderValue {
  if (shape.kind !== 'number') return value as HeaderValue;
  const number = value as number;
  return number === (number | 0) ? { integer: number } : BigInt(number);
}

/** Reads the events that a client streams in. */
export async function* decodeEventStream(
  union: StructureShape,
  body: AsyncIterable<Uint8Array>,
  bodies: EventBodies,
): AsyncGenerator<Record<string, unknown>> {
  for await (const message of decodeMessages(body)) {
    // A signed event wraps the real one; the last, empty one ends the stream.
    if (message.headers[':chunk-signature'] !== undefined && message.headers[':event-type'] === undefined) {
      if (message.body.length === 0) return;
      for await (const inner of decodeMessages(Readable.from([message.body]))) yield decodeEvent(union, inner, bodies);
    } else if (message.headers[':event-type'] !== 'initial-request') {
      yield decodeEvent(union, message, bodies);
    }
  }
}

function decodeEvent(union: StructureShape, message: EventMessage, bodies: EventBodies): Record<string, unknown> {
  const type = message.headers[':event-type'];
  const member = typeof type === 'string' ? union.byName.get(type) : undefined;
  if (!member) throw new MalformedInput(`Unknown event type '${String(type).slice(0, 64)}'`);
  const shape = member.shape as StructureShape;
  const value: Record<string, unknown> = {};
  let bound = false;
  for (const part of shape.members) {
    if (part.traits.eventHeader !== undefined) {
      bound = true;
      const header = message.headers[part.name];
      if (header !== undefined) value[part.name] = plainHeader(header);
    } else if (part.traits.eventPayload !== undefined) {
      bound = true;
      if (part.shape.kind === 'blob') value[part.name] = message.body;
      else if (part.shape.kind === 'string') value[part.name] = Buffer.from(message.body).toString('utf8');
      else value[part.name] = bodies.decode(part.shape, message.body);
    }
  }
  return { [member.name]: bound ? value : bodies.decode(shape, message.body) };
}

function plainHeader(value: HeaderValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'object' && 'integer' in value ? value.integer : value;
}

function toBytes(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}
