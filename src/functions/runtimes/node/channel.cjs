'use strict';
// The runtime's end of the frames (see frames.ts). Descriptor 3 goes to the engine and is written with blocking calls:
// what a handler printed is out before it blocks, crashes or exits, and a flood of output waits for its reader.
const fs = require('node:fs');
const net = require('node:net');

const output = 3;
const input = 4;
const headerBytes = 5;
const maxLogBytes = 256 * 1024;
const type = {
  ready: 16,
  initDone: 17,
  initError: 18,
  response: 19,
  error: 20,
  log: 21,
  output: 22,
  streamStart: 23,
  streamChunk: 24,
  streamEnd: 25,
  streamError: 26,
  fatal: 28,
};
const pause = new Int32Array(new SharedArrayBuffer(4));
const { writeSync } = fs;

function writeAll(buffer) {
  let offset = 0;
  while (offset < buffer.length) {
    try {
      offset += writeSync(output, buffer, offset, buffer.length - offset);
    } catch (error) {
      if (error.code === 'EAGAIN') Atomics.wait(pause, 0, 0, 1);
      else if (error.code === 'EPIPE') process.reallyExit(1);
      else throw error;
    }
  }
}

/** Sends text; `sequence` is the invocation's number, for the frames that carry one. */
function sendText(frameType, text, sequence) {
  const prefix = sequence === undefined ? headerBytes : headerBytes + 4;
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(prefix + length);
  frame.writeUInt32LE(prefix - 4 + length, 0);
  frame[4] = frameType;
  if (sequence !== undefined) frame.writeUInt32LE(sequence, headerBytes);
  frame.write(text, prefix);
  writeAll(frame);
}

function sendBytes(frameType, bytes, sequence) {
  const prefix = sequence === undefined ? headerBytes : headerBytes + 4;
  const frame = Buffer.allocUnsafe(prefix + bytes.length);
  frame.writeUInt32LE(prefix - 4 + bytes.length, 0);
  frame[4] = frameType;
  if (sequence !== undefined) frame.writeUInt32LE(sequence, headerBytes);
  frame.set(bytes, prefix);
  writeAll(frame);
}

/** One log event; a longer one is cut into several, as the log service would refuse it. */
function sendLog(text) {
  if (text.length * 3 <= maxLogBytes) return sendText(type.log, text);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += maxLogBytes) sendBytes(type.log, bytes.subarray(at, at + maxLogBytes));
}

function sendOutput(bytes) {
  for (let at = 0; at < bytes.length; at += maxLogBytes) sendBytes(type.output, bytes.subarray(at, at + maxLogBytes));
}

/** Delivers frames from the engine to `receive(type, body)`; `close()` when the engine is gone. */
function listen(receive, close) {
  const socket = new net.Socket({ fd: input, readable: true, writable: false });
  let chunks = [];
  let buffered = 0;
  let wanted = headerBytes;
  socket.on('data', (chunk) => {
    let data = chunk;
    if (buffered > 0) {
      chunks.push(chunk);
      buffered += chunk.length;
      if (buffered < wanted) return;
      data = Buffer.concat(chunks, buffered);
      chunks = [];
      buffered = 0;
    }
    let offset = 0;
    while (data.length - offset >= headerBytes) {
      const end = offset + 4 + data.readUInt32LE(offset);
      if (end > data.length) break;
      const frameType = data[offset + 4];
      const body = data.subarray(offset + headerBytes, end);
      offset = end;
      receive(frameType, body);
    }
    if (offset < data.length) {
      const rest = data.subarray(offset);
      wanted = rest.length >= 4 ? 4 + rest.readUInt32LE(0) : headerBytes;
      chunks = [rest];
      buffered = rest.length;
    }
  });
  socket.on('end', close);
  socket.on('error', close);
  return socket;
}

module.exports = { type, sendText, sendBytes, sendLog, sendOutput, listen };
