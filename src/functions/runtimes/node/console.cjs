'use strict';
// `console` in Lambda's two log formats. Source: Lambda Developer Guide, "Log and monitor Node.js Lambda functions" and
// "Configuring JSON and plain text log formats".
const util = require('node:util');
const { sendLog, sendOutput } = require('./channel.cjs');
const errors = require('./errors.cjs');

const levels = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
const methods = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR' };

const state = { requestId: undefined };

function textLine(level, args) {
  return `${new Date().toISOString()}\t${state.requestId}\t${level}\t${util.format(...args)}\n`;
}

function describeError(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function jsonLine(level, args) {
  const entry = { timestamp: new Date().toISOString(), level, requestId: state.requestId };
  if (args.length <= 1) {
    entry.message = args[0];
    try {
      const replacer = (_key, value) => (value instanceof Error ? { ...describeError(value), ...value } : value);
      return `${JSON.stringify(entry, replacer)}\n`;
    } catch {
      entry.message = util.format(args[0]);
      return `${JSON.stringify(entry)}\n`;
    }
  }
  entry.message = util.format(...args);
  const error = args.find((argument) => argument instanceof Error);
  return `${JSON.stringify(error === undefined ? entry : { ...entry, ...describeError(error) })}\n`;
}

function redirect(stream) {
  stream.write = (chunk, encoding, callback) => {
    const bytes =
      typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk;
    sendOutput(bytes);
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
}

/** Replaces the console's methods and the standard streams' `write`. */
function patch(format, minimumLevel) {
  const minimum = levels[minimumLevel] ?? levels.TRACE;
  const line = format === 'JSON' ? jsonLine : textLine;
  for (const [method, level] of Object.entries(methods)) {
    console[method] = levels[level] >= minimum ? (...args) => sendLog(line(level, args)) : () => {};
  }
  console.fatal = (...args) => sendLog(line('FATAL', args));
  redirect(process.stdout);
  redirect(process.stderr);
  return {
    setRequestId(requestId) {
      state.requestId = requestId;
    },
    /** The line that announces an error: `ERROR  Invoke Error  {…}`. */
    logError(title, error) {
      if (format === 'JSON') sendLog(jsonLine('ERROR', [error instanceof Error ? error : new Error(error)]));
      else sendLog(textLine('ERROR', [title, `\t${errors.toLog(error)}`]));
    },
  };
}

module.exports = { patch };
