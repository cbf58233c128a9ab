import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  InvokeCommand,
  LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { filesOf, NO_TRACES, tracesOf } from '../support/traces.ts';
import { zipOf } from '../support/zip.ts';

let server: RunningKobune;
let lambda: LambdaClient;
const data = () => join(server.scratch, 'data');

before(async () => {
  server = await runKobune({ ephemeral: false });
  lambda = new LambdaClient(server.settings());
});
after(async () => {
  lambda?.destroy();
  await server?.[Symbol.asyncDispose]();
});

type Language = 'node' | 'python';

async function create(name: string, language: Language, code: string, changes: Partial<CreateFunctionCommandInput>) {
  const file = language === 'node' ? 'index.js' : 'app.py';
  await lambda.send(
    new CreateFunctionCommand({
      FunctionName: name,
      Runtime: language === 'node' ? 'nodejs22.x' : 'python3.11',
      Handler: language === 'node' ? 'index.handler' : 'app.handler',
      Role: 'arn:aws:iam::000000000000:role/r',
      Code: { ZipFile: await zipOf({ [file]: code }) },
      Timeout: 10,
      MemorySize: 256,
      ...changes,
    }),
  );
  const waiter = { client: lambda, maxWaitTime: 30, minDelay: 0.05, maxDelay: 0.2 };
  await waitUntilFunctionActiveV2(waiter, { FunctionName: name });
}

interface Outcome {
  readonly error: string | undefined;
  readonly value: { readonly errorType?: string; readonly errorMessage?: string };
  readonly requestId: string;
  readonly log: string;
}

async function invoke(name: string, event: object = {}): Promise<Outcome> {
  const answer = await lambda.send(
    new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event), LogType: 'Tail' }),
  );
  assert.equal(answer.StatusCode, 200);
  return {
    error: answer.FunctionError,
    value: JSON.parse(answer.Payload!.transformToString()),
    requestId: answer.$metadata.requestId!,
    log: Buffer.from(answer.LogResult ?? '', 'base64').toString(),
  };
}

async function status() {
  const answer = await fetch(`${server.endpoint}/_kobune/status`);
  return (await answer.json()) as { environments: { functionArn: string }[]; pools: Record<string, number> };
}

/** Ends a function and asserts that nothing of it runs or lies about. */
async function assertGone(name: string): Promise<void> {
  await lambda.send(new DeleteFunctionCommand({ FunctionName: name }));
  const { environments } = await status();
  assert.deepEqual(
    environments.filter(({ functionArn }) => functionArn.endsWith(`:${name}`)),
    [],
  );
}

interface Case {
  readonly what: string;
  readonly language: Language;
  readonly code: string;
  readonly errorType: string;
  readonly message: RegExp;
  readonly changes?: Partial<CreateFunctionCommandInput>;
}

const TIMED_OUT = {
  errorType: 'Sandbox.Timedout',
  message: /^RequestId: \S+ Error: Task timed out after 1\.00 seconds$/,
};
const CASES: readonly Case[] = [
  {
    what: 'whose code has a syntax error',
    language: 'node',
    code: 'exports.handler = async () => {',
    errorType: 'Runtime.UserCodeSyntaxError',
    message: /^SyntaxError: Unexpected end of input$/,
  },
  {
    what: 'whose code has a syntax error',
    language: 'python',
    code: 'def handler(event, context)\n    return 1\n',
    errorType: 'Runtime.UserCodeSyntaxError',
    message: /^Syntax error in module 'app': /,
  },
  {
    what: 'whose handler is not there',
    language: 'node',
    code: 'exports.other = async () => 1;',
    errorType: 'Runtime.HandlerNotFound',
    message: /^index\.handler is undefined or not exported$/,
  },
  {
    what: 'whose handler is not there',
    language: 'python',
    code: 'def other(event, context):\n    return 1\n',
    errorType: 'Runtime.HandlerNotFound',
    message: /^Handler 'handler' missing on module 'app'$/,
  },
  {
    what: 'whose module is not there',
    language: 'node',
    code: '1',
    errorType: 'Runtime.ImportModuleError',
    message: /^Error: Cannot find module 'absent'/,
    changes: { Handler: 'absent.handler' },
  },
  {
    what: 'whose module is not there',
    language: 'python',
    code: '1',
    errorType: 'Runtime.ImportModuleError',
    message: /^Unable to import module 'absent': No module named 'absent'$/,
    changes: { Handler: 'absent.handler' },
  },
  {
    what: 'that never settles',
    language: 'node',
    code: 'exports.handler = () => new Promise(() => setInterval(() => {}, 1000));',
    changes: { Timeout: 1 },
    ...TIMED_OUT,
  },
  {
    what: 'that loops without end',
    language: 'node',
    code: 'exports.handler = () => { for (;;); };',
    changes: { Timeout: 1 },
    ...TIMED_OUT,
  },
  {
    what: 'that loops without end and ignores signals',
    language: 'python',
    code: 'import signal\ndef handler(event, context):\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: pass\n',
    changes: { Timeout: 1 },
    ...TIMED_OUT,
  },
  {
    what: 'that exits',
    language: 'node',
    code: 'exports.handler = async () => process.exit(7);',
    errorType: 'Runtime.ExitError',
    message: /^RequestId: \S+ Error: Runtime exited with error: exit status 7$/,
  },
  {
    what: 'that exits',
    language: 'python',
    code: 'import os\ndef handler(event, context):\n    os._exit(7)\n',
    errorType: 'Runtime.ExitError',
    message: /^RequestId: \S+ Error: Runtime exited with error: exit status 7$/,
  },
  {
    what: 'that kills itself',
    language: 'node',
    code: 'exports.handler = async () => { process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); };',
    errorType: 'Runtime.ExitError',
    message: /^RequestId: \S+ Error: Runtime exited with error: signal: killed$/,
  },
  {
    what: 'that eats memory',
    language: 'node',
    code: 'exports.handler = async () => { const all = []; for (;;) all.push(Buffer.alloc(8e6, 1)); };',
    errorType: 'Runtime.OutOfMemory',
    message: /^RequestId: \S+ Error: Runtime exited with error: signal: killed$/,
  },
  {
    what: 'that eats memory',
    language: 'python',
    code: 'def handler(event, context):\n    kept = []\n    while True: kept.append(bytearray(b"x" * 8000000))\n',
    errorType: 'Runtime.OutOfMemory',
    message: /^RequestId: \S+ Error: Runtime exited with error: signal: killed$/,
  },
  {
    what: 'that starts threads without end',
    language: 'python',
    code: 'import threading, time\ndef handler(event, context):\n    threading.stack_size(65536)\n    while True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n',
    errorType: 'RuntimeError',
    message: /^can't start new thread$/,
    changes: { Timeout: 60, MemorySize: 1024 },
  },
];

describe('a function', () => {
  for (const [index, { what, language, code, errorType, message, changes = {} }] of CASES.entries()) {
    it(`${what} is told as Lambda tells it, and nothing of it stays (${language})`, async () => {
      const name = `case-${index}`;
      await create(name, language, code, changes);
      const { error, value, requestId, log } = await invoke(name);
      assert.equal(error, 'Unhandled');
      assert.equal(value.errorType, errorType, JSON.stringify(value));
      assert.match(value.errorMessage!, message);
      assert.match(log, new RegExp(`END RequestId: ${requestId}\\nREPORT RequestId: ${requestId}\\tDuration: `));
      await assertGone(name);
    });
  }

  it('that writes 10 GB to /tmp is told that it is full, and nothing of it reaches the data directory', async () => {
    const code = `
const fs = require('node:fs');
exports.handler = async ({ gigabytes }) => {
  const chunk = Buffer.alloc(32 * 1024 * 1024);
  for (let at = 0; at < gigabytes * 1024; at += 32) fs.appendFileSync('/tmp/big', chunk);
  return fs.readdirSync('/tmp').length;
};`;
    await create('disk', 'node', code, { MemorySize: 1024, Timeout: 30 });
    const before = filesOf(data());
    const { error, value } = await invoke('disk', { gigabytes: 10 });
    assert.equal(error, 'Unhandled');
    assert.match(value.errorMessage!, /^ENOSPC: no space left on device/);
    assert.deepEqual(filesOf(data()), before);
    await assertGone('disk');
  });

  it('that floods its log is held back, and the server stays as it is', async () => {
    const code = `
const line = 'x'.repeat(1000) + '\\n';
exports.handler = async () => {
  for (let i = 0; i < 60_000; i++) if (!process.stdout.write(line)) await new Promise((r) => process.stdout.once('drain', r));
  return 'flooded';
};`;
    await create('flood', 'node', code, { Timeout: 30, MemorySize: 1769 });
    const before = process.memoryUsage().rss;
    const flood = invoke('flood');
    // Others are served meanwhile.
    assert.equal((await fetch(`${server.endpoint}/_kobune/health`)).status, 200);
    const { error, value, log } = await flood;
    assert.deepEqual([error, value], [undefined, 'flooded']);
    assert.ok(log.length <= 4_096, `${log.length} bytes of tail`);
    const grown = (process.memoryUsage().rss - before) / 1e6;
    assert.ok(grown < 300, `grew by ${grown.toFixed(0)} MB over 60 MB of log`);
    await assertGone('flood');
  });

  it('of all these leaves neither process, control group, mount nor file once Kobune has ended', async () => {
    await using other = await runKobune({ ephemeral: false });
    const directory = join(other.scratch, 'data');
    const client = new LambdaClient(other.settings());
    await client.send(
      new CreateFunctionCommand({
        FunctionName: 'orphans',
        Runtime: 'python3.11',
        Handler: 'app.handler',
        Role: 'arn:aws:iam::000000000000:role/r',
        Timeout: 60,
        Code: {
          ZipFile: await zipOf({
            'app.py':
              'import os, time\ndef handler(event, context):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)\n    open("/tmp/file", "w").write("x")\n    os.kill(os.getpid(), 9)\n',
          }),
        },
      }),
    );
    await waitUntilFunctionActiveV2({ client, maxWaitTime: 30, minDelay: 0.05 }, { FunctionName: 'orphans' });
    await client.send(new InvokeCommand({ FunctionName: 'orphans' }));
    await client.send(new DeleteFunctionCommand({ FunctionName: 'orphans' }));
    client.destroy();
    lambda.destroy();
    await Promise.all([other.kobune.close(), server.kobune.close()]);
    assert.deepEqual({ ...tracesOf(directory), files: [] }, NO_TRACES);
  });
});
