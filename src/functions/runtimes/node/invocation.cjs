'use strict';
// One invocation of a handler: its context object, and the ways in which it may end. Source: Lambda Developer Guide,
// "Using the Lambda context object to retrieve Node.js function information".
const { type, sendText } = require('./channel.cjs');
const { RuntimeError, toResponse } = require('./errors.cjs');
const { ResponseStream, highWaterMark } = require('./streaming.cjs');

const neverSettled =
  'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that ' +
  'was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';

function contextOf(meta, environment) {
  const deadline = performance.now() + meta.remainingMs;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: meta.clientContext,
    identity: undefined,
    invokedFunctionArn: meta.invokedArn,
    awsRequestId: meta.requestId,
    getRemainingTimeInMillis: () => Math.max(0, Math.round(deadline - performance.now())),
  };
}

/** Runs invocations one after the other. `loop` keeps the process alive between them. */
class Invoker {
  constructor({ handler, streaming, callbacks, log, loop, environment }) {
    this.handler = handler;
    this.streaming = streaming;
    this.callbacks = callbacks;
    this.isAsync = handler.constructor?.name === 'AsyncFunction';
    this.log = log;
    this.loop = loop;
    this.environment = environment;
    this.current = undefined;
    this.stream = undefined;
    this.afterEmptyLoop = undefined;
  }

  begin(sequence, meta, payload) {
    this.current = sequence;
    this.log.setRequestId(meta.requestId);
    if (meta.traceId) process.env._X_AMZN_TRACE_ID = meta.traceId;
    else delete process.env._X_AMZN_TRACE_ID;
    const context = contextOf(meta, this.environment);
    // From here on only the handler's own work keeps the event loop turning, so that "empty" can be told.
    this.loop.unref();
    let event;
    try {
      event = JSON.parse(payload.length === 0 ? '{}' : payload.toString('utf8'));
    } catch (error) {
      this.fail(sequence, error);
      return;
    }
    if (this.streaming) void this.runStreaming(sequence, event, context);
    else this.run(sequence, event, context);
  }

  run(sequence, event, context) {
    this.afterEmptyLoop = () => {
      if (this.isAsync) this.fail(sequence, new RuntimeError('NodeJsExit', neverSettled));
      else this.succeed(sequence, null);
    };
    const done = (error, result) => {
      if (this.current !== sequence) return;
      const failed = error !== undefined && error !== null;
      if (!context.callbackWaitsForEmptyEventLoop) {
        if (failed) this.fail(sequence, error);
        else this.succeed(sequence, result);
        return;
      }
      this.afterEmptyLoop = failed ? () => this.fail(sequence, error) : () => this.succeed(sequence, result);
    };
    const now = (error, result) => {
      context.callbackWaitsForEmptyEventLoop = false;
      done(error, result);
    };
    let result;
    try {
      if (this.callbacks) {
        context.done = now;
        context.succeed = (value) => now(null, value);
        context.fail = (error) => now(error ?? 'handled');
        result = this.handler(event, context, done);
      } else {
        result = this.handler(event, context);
      }
    } catch (error) {
      this.fail(sequence, error);
      return;
    }
    if (result !== null && typeof result === 'object' && typeof result.then === 'function') {
      result.then(
        (value) => this.succeed(sequence, value),
        (error) => this.fail(sequence, error),
      );
    } else if (!this.callbacks) {
      this.succeed(sequence, result);
    }
  }

  async runStreaming(sequence, event, context) {
    const mark = this.handler[highWaterMark];
    const stream = new ResponseStream(sequence, mark === undefined ? {} : { highWaterMark: mark });
    this.stream = stream;
    this.afterEmptyLoop = () => this.fail(sequence, new RuntimeError('NodeJsExit', neverSettled));
    try {
      const finished = new Promise((resolve, reject) => {
        stream.once('finish', resolve);
        stream.once('error', reject);
      });
      finished.catch(() => {});
      const result = this.handler(event, stream, context);
      if (!result || typeof result.then !== 'function') throw 'Streaming does not support non-async handlers.';
      const value = await result;
      if (value !== undefined) console.warn('Streaming handlers ignore return values.');
      if (!stream.writableEnded) throw 'Response stream is not finished.';
      await finished;
      if (this.current !== sequence) return;
      this.end();
      sendText(type.streamEnd, '', sequence);
    } catch (error) {
      if (this.current !== sequence) return;
      this.end();
      this.log.logError('Invoke Error', error);
      sendText(type.streamError, JSON.stringify(toResponse(error)), sequence);
    }
  }

  addCredit(bytes) {
    this.stream?.addCredit(bytes);
  }

  end() {
    this.current = undefined;
    this.stream = undefined;
    this.afterEmptyLoop = undefined;
    this.loop.ref();
  }

  succeed(sequence, value) {
    if (this.current !== sequence) return;
    let text;
    try {
      text = JSON.stringify(value === undefined ? null : value) ?? 'null';
    } catch (error) {
      this.fail(sequence, error);
      return;
    }
    this.end();
    sendText(type.response, text, sequence);
  }

  fail(sequence, error) {
    if (this.current !== sequence) return;
    this.log.logError('Invoke Error', error);
    this.end();
    sendText(type.error, JSON.stringify(toResponse(error)), sequence);
  }

  /** The process is about to end over `error`: reports it for the invocation that runs, if one does. */
  abort(error) {
    const sequence = this.current;
    if (sequence === undefined) return false;
    this.end();
    sendText(type.fatal, JSON.stringify(toResponse(error)), sequence);
    return true;
  }
}

module.exports = { Invoker };
