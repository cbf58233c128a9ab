import type {
  InvocationResponse,
  InvocationType,
  InvokeAsyncCommandInput,
  InvokeCommandInput,
  InvokeWithResponseStreamCommandInput,
  InvokeWithResponseStreamResponse,
} from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { invalidRequestContent, tooLarge, unsupported } from './errors.ts';
import { enqueueInvocation } from './event-queue.ts';
import { parseFunctionName } from './names.ts';
import { ResponseChannel } from './response-channel.ts';
import type { Room } from './room.ts';
import { countedTrace, resolveActive, runOnce, traceIdOf } from './run.ts';
import { Constraints } from './validation.ts';

/** Bytes of the `X-Amz-Client-Context` value. */
const CLIENT_CONTEXT_LIMIT = 3583;
const EMPTY_EVENT = Buffer.from('{}');

/** Source: Lambda API Reference, "Invoke", "InvokeWithResponseStream", "InvokeAsync". */
export function invokeOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    Invoke: (input: InvokeCommandInput, context) => invoke(room, input, context),
    InvokeWithResponseStream: (input: InvokeWithResponseStreamCommandInput, context) =>
      invokeWithResponseStream(room, input, context),
    InvokeAsync: (input: InvokeAsyncCommandInput, context) => invokeAsync(room, input, context),
  };
}

async function invoke(room: Room, input: InvokeCommandInput, context: RequestContext): Promise<InvocationResponse> {
  const name = parseFunctionName(input.FunctionName, input.Qualifier, context);
  checkInvocation(input);
  const type = input.InvocationType ?? 'RequestResponse';
  const payload = eventOf(room, input.Payload as Uint8Array | undefined, type);
  switch (type) {
    case 'Event': {
      await room.targets.resolve(name);
      await room.store.transact(async (transaction) => {
        enqueueInvocation(room, transaction, name, payload, {
          requestId: context.requestId,
          traceId: traceIdOf(room, context),
          clientContext: clientContext(input.ClientContext),
        });
      });
      return { StatusCode: 202, Payload: new Uint8Array() };
    }
    case 'DryRun':
      await room.targets.resolve(name);
      return { StatusCode: 204 };
    default: {
      const target = await resolveActive(room, name);
      const traceId = countedTrace(room, target, context);
      const result = await runOnce(room, target, {
        requestId: context.requestId,
        payload,
        invokedArn: target.invokedArn,
        traceId,
        clientContext: clientContext(input.ClientContext),
        tailLog: input.LogType === 'Tail',
      });
      return {
        StatusCode: 200,
        Payload: result.payload,
        FunctionError: result.functionError,
        LogResult: result.logTail === undefined ? undefined : Buffer.from(result.logTail).toString('base64'),
        ExecutedVersion: target.version,
      };
    }
  }
}

async function invokeWithResponseStream(
  room: Room,
  input: InvokeWithResponseStreamCommandInput,
  context: RequestContext,
): Promise<InvokeWithResponseStreamResponse> {
  const name = parseFunctionName(input.FunctionName, input.Qualifier, context);
  checkInvocation(input);
  const payload = eventOf(room, input.Payload as Uint8Array | undefined, 'RequestResponse');
  const target = await resolveActive(room, name);
  if (input.InvocationType === 'DryRun') return { StatusCode: 204 };
  const traceId = countedTrace(room, target, context);
  const slot = await room.concurrency.acquire(target);
  // A function URL reads the prelude; a client of this operation gets it with the body, as on AWS.
  const channel = new ResponseChannel({ rawPrelude: true });
  room.engine
    .invokeStreaming(
      slot.spec,
      {
        requestId: context.requestId,
        payload,
        invokedArn: target.invokedArn,
        traceId,
        clientContext: clientContext(input.ClientContext),
        tailLog: input.LogType === 'Tail',
      },
      channel,
    )
    .then(
      (result) => channel.end(result),
      (error: unknown) => channel.fail(error),
    )
    .finally(() => slot.release());
  return {
    StatusCode: 200,
    ExecutedVersion: target.version,
    ResponseStreamContentType: 'application/vnd.amazon.eventstream',
    EventStream: streamEvents(channel),
  };
}

async function* streamEvents(
  channel: ResponseChannel,
): NonNullable<InvokeWithResponseStreamResponse['EventStream']> extends AsyncIterable<infer E>
  ? AsyncGenerator<E>
  : never {
  for await (const chunk of channel) yield { PayloadChunk: { Payload: chunk } };
  const result = channel.result;
  if (result === undefined) return;
  const failed = result.functionError !== undefined;
  if (!failed && result.payload.length > 0) yield { PayloadChunk: { Payload: result.payload } };
  yield {
    InvokeComplete: {
      ...(failed
        ? {
            ErrorCode: errorType(result.payload) ?? result.functionError,
            ErrorDetails: Buffer.from(result.payload).toString(),
          }
        : {}),
      ...(result.logTail === undefined ? {} : { LogResult: Buffer.from(result.logTail).toString('base64') }),
    },
  };
}

function errorType(payload: Uint8Array): string | undefined {
  try {
    const error = JSON.parse(Buffer.from(payload).toString()) as { errorType?: unknown } | null;
    return typeof error?.errorType === 'string' ? error.errorType : undefined;
  } catch {
    return undefined;
  }
}

/** The deprecated way to send an event. */
async function invokeAsync(room: Room, input: InvokeAsyncCommandInput, context: RequestContext) {
  const name = parseFunctionName(input.FunctionName, undefined, context);
  const payload = eventOf(room, await bytesOf(input.InvokeArgs), 'Event');
  await room.targets.resolve(name);
  await room.store.transact(async (transaction) => {
    enqueueInvocation(room, transaction, name, payload, {
      requestId: context.requestId,
      traceId: traceIdOf(room, context),
    });
  });
  return { Status: 202 };
}

async function bytesOf(body: unknown): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (body instanceof Uint8Array) return body;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function checkInvocation(input: {
  readonly InvocationType?: string | undefined;
  readonly LogType?: string | undefined;
  readonly DurableExecutionName?: string | undefined;
  readonly TenantId?: string | undefined;
  readonly ClientContext?: string | undefined;
}): void {
  if (input.InvocationType !== undefined || input.LogType !== undefined) {
    const constraints = new Constraints();
    constraints.oneOf('invocationType', input.InvocationType, ['Event', 'RequestResponse', 'DryRun']);
    constraints.oneOf('logType', input.LogType, ['None', 'Tail']);
    constraints.check();
  }
  if (input.DurableExecutionName !== undefined) throw unsupported('DurableExecutionName', 'leave it out');
  if (input.TenantId !== undefined) throw unsupported('TenantId', 'environments are not isolated per tenant');
}

/**
 * An absent payload reaches the handler as an empty object. Throws RequestTooLargeException, and
 * InvalidRequestContentException when it is not JSON.
 */
function eventOf(room: Room, payload: Uint8Array | undefined, type: InvocationType): Uint8Array {
  if (payload === undefined || payload.length === 0) return EMPTY_EVENT;
  const limit = type === 'Event' ? room.limits.asyncPayload : room.limits.syncPayload;
  // First: what is too large is not worth parsing.
  if (payload.length > limit) {
    throw tooLarge(
      `${payload.length} byte payload is too large for the ${type} invocation type (limit ${limit} bytes)`,
    );
  }
  try {
    JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString());
  } catch (error) {
    throw invalidRequestContent(
      `Could not parse request body into json: Could not parse payload into json: ${(error as Error).message}`,
    );
  }
  return payload;
}

function clientContext(value: string | undefined): unknown {
  if (value === undefined || value === '') return undefined;
  if (value.length > CLIENT_CONTEXT_LIMIT) {
    throw invalidRequestContent(`Client context must be smaller than ${CLIENT_CONTEXT_LIMIT + 1} bytes.`);
  }
  try {
    return JSON.parse(Buffer.from(value, 'base64').toString()) as unknown;
  } catch {
    throw invalidRequestContent('Client context must be a valid Base64-encoded JSON object.');
  }
}
