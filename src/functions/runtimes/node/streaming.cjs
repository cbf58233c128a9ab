'use strict';
// Response streaming. Source: Lambda Developer Guide, "Writing response streaming-enabled Lambda functions".
const { Writable } = require('node:stream');
const { type, sendBytes, sendText } = require('./channel.cjs');

const streamingMark = Symbol.for('aws.lambda.runtime.handler.streaming');
const highWaterMark = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const httpContentType = 'application/vnd.awslambda.http-integration-response';
const maxChunkBytes = 64 * 1024;
const initialCredit = 256 * 1024;

class ResponseStream extends Writable {
  constructor(sequence, options) {
    super(options);
    this.sequence = sequence;
    this.credit = initialCredit;
    this.contentType = 'application/octet-stream';
    this.started = false;
    this.waiting = undefined;
  }

  setContentType(contentType) {
    if (this.started) {
      const error = new Error('Cannot set content-type, too late.');
      error.name = 'Runtime.InvalidStreamingOperation';
      throw error;
    }
    this.contentType = String(contentType);
  }

  begin() {
    if (this.started) return;
    this.started = true;
    sendText(type.streamStart, this.contentType, this.sequence);
  }

  _write(chunk, encoding, callback) {
    if (this.beforeFirst) {
      const first = this.beforeFirst;
      this.beforeFirst = undefined;
      first();
    }
    this.begin();
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    this.send(bytes, 0, callback);
  }

  send(bytes, from, callback) {
    let at = from;
    while (at < bytes.length) {
      if (this.credit <= 0) {
        this.waiting = () => this.send(bytes, at, callback);
        return;
      }
      const end = Math.min(bytes.length, at + maxChunkBytes);
      sendBytes(type.streamChunk, bytes.subarray(at, end), this.sequence);
      this.credit -= end - at;
      at = end;
    }
    callback();
  }

  /** The engine passed `bytes` on: as many more may be sent. */
  addCredit(bytes) {
    this.credit += bytes;
    const resume = this.waiting;
    this.waiting = undefined;
    resume?.();
  }

  _final(callback) {
    if (this.beforeFirst) {
      const first = this.beforeFirst;
      this.beforeFirst = undefined;
      first();
    }
    this.begin();
    callback();
  }
}

const HttpResponseStream = {
  /** Puts status, headers and cookies before the body: JSON, then eight zero bytes. */
  from(stream, prelude) {
    stream.setContentType(httpContentType);
    const head = Buffer.concat([Buffer.from(JSON.stringify(prelude)), Buffer.alloc(8)]);
    stream.beforeFirst = () => {
      stream.begin();
      sendBytes(type.streamChunk, head, stream.sequence);
      stream.credit -= head.length;
    };
    return stream;
  },
};

function installGlobal() {
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[streamingMark] = 'response';
      if (typeof options?.highWaterMark === 'number') handler[highWaterMark] = Math.trunc(options.highWaterMark);
      return handler;
    },
    HttpResponseStream,
  };
}

function isStreaming(handler) {
  const mark = handler[streamingMark];
  if (mark === undefined || mark === null || mark === false) return false;
  if (mark === 'response') return true;
  const error = new Error('Only response streaming is supported.');
  error.name = 'Runtime.MalformedStreamingHandler';
  throw error;
}

module.exports = { ResponseStream, installGlobal, isStreaming, highWaterMark };
