'use strict';
// Kobune's Node.js runtime. It runs inside the sandbox, on whatever Node (18 or later) the function's runtime asks for:
// boots, says that it is ready, and waits, possibly in a pool, for the function that it is to become.
const Module = require('node:module');
const { type, sendText, sendLog, listen } = require('./channel.cjs');
const { patch } = require('./console.cjs');
const errors = require('./errors.cjs');
const { loadHandler } = require('./loader.cjs');
const { Invoker } = require('./invocation.cjs');
const { installGlobal, isStreaming } = require('./streaming.cjs');
const { readCodeCache, useCodeCache } = require('./code-cache.cjs');

const frames = { init: 1, invoke: 2, credit: 3, prepare: 4 };
const callbackRefusal =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to ' +
  'modify this function to use a supported handler signature to use Node.js 24 or later.';

let settings;
let codeCache;
let invoker;
let log;
let initialised = false;

function setEnvironment(variables) {
  for (const name of Object.keys(process.env)) if (!(name in variables)) delete process.env[name];
  for (const [name, value] of Object.entries(variables)) process.env[name] = value;
  Module._initPaths?.();
}

function failInit(error, exitCode) {
  sendText(type.initError, JSON.stringify(errors.toResponse(error)));
  process.reallyExit(exitCode);
}

function prepare(told) {
  settings = told;
  if (settings.environment) setEnvironment(settings.environment);
  process.argv[1] = '/var/runtime/index.mjs';
  log = patch(settings.logFormat, settings.logLevel);
  if (!/^(1|true)$/.test(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA ?? '')) installGlobal();
  codeCache = readCodeCache(settings.codeCache);
}

async function initialise() {
  process.chdir(settings.taskRoot);
  const forgetCache = useCodeCache(codeCache);
  const modern = settings.runtimeMajor >= 24;
  try {
    const handler = await loadHandler({ ...settings, typescript: modern }, settings.handler);
    const streaming = isStreaming(handler);
    if (modern && !streaming && handler.length >= 3) {
      throw new errors.RuntimeError('CallbackHandlerDeprecated', callbackRefusal);
    }
    const environment = { ...process.env };
    invoker = new Invoker({ handler, streaming, callbacks: !modern, log, loop, environment });
    initialised = true;
    sendText(type.initDone, JSON.stringify({ streaming }));
  } catch (error) {
    log.logError('Uncaught Exception', error);
    failInit(error, 129);
  } finally {
    forgetCache();
    codeCache = undefined;
  }
}

function receive(frameType, body) {
  if (frameType === frames.invoke) {
    const sequence = body.readUInt32LE(0);
    const metaEnd = 8 + body.readUInt32LE(4);
    invoker.begin(sequence, JSON.parse(body.toString('utf8', 8, metaEnd)), body.subarray(metaEnd));
  } else if (frameType === frames.credit) {
    invoker?.addCredit(body.readUInt32LE(0));
  } else if (frameType === frames.init) {
    void initialise();
  } else if (frameType === frames.prepare) {
    prepare(JSON.parse(body.toString('utf8')));
  }
}

const loop = listen(receive, () => process.reallyExit(0));

function onFatal(title, error, exitCode) {
  if (log) log.logError(title, error);
  else sendLog(`${title} ${errors.toLog(error)}\n`);
  if (!initialised) failInit(error, exitCode);
  invoker.abort(error);
  process.reallyExit(exitCode);
}
process.on('uncaughtException', (error) => onFatal('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason, promise) => {
  onFatal('Unhandled Promise Rejection', errors.unhandledRejection(reason, promise), 128);
});
process.on('beforeExit', () => {
  const next = invoker?.afterEmptyLoop;
  if (!next) return;
  invoker.afterEmptyLoop = undefined;
  next();
});

// What a large handler will ask for is loaded while the process still waits in the pool. A small one is spared the
// six megabytes that this takes.
if (process.argv.includes('--rich')) {
  const parts = [
    'https',
    'http2',
    'tls',
    'zlib',
    'child_process',
    'fs/promises',
    'dns',
    'stream/web',
    'os',
    'perf_hooks',
  ];
  for (const name of parts) require(`node:${name}`);
  void require('node:crypto').webcrypto;
}
process.argv.length = 2;

/**
 * Becomes a function of our own and runs it once, so that nothing is executed for the first time when somebody waits.
 * The engine does not listen to what it says before it is ready.
 */
async function rehearse() {
  prepare({
    environment: { ...process.env },
    taskRoot: __dirname,
    handler: 'rehearsal.handler',
    logFormat: 'Text',
    runtimeMajor: 20,
  });
  await initialise();
  const meta = Buffer.from('{"requestId":"","invokedArn":"","traceId":"","remainingMs":1000}');
  const head = Buffer.alloc(8);
  head.writeUInt32LE(meta.length, 4);
  receive(frames.invoke, Buffer.concat([head, meta, Buffer.from('{}')]));
  await new Promise((resolve) => setImmediate(resolve));
  delete require.cache[require.resolve('./rehearsal.cjs')];
  process.chdir('/');
  invoker = undefined;
  log = undefined;
  initialised = false;
}

rehearse().then(() => sendText(type.ready, JSON.stringify({ version: process.version })));
