import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SandboxProvider } from './sandbox/index.ts';
import { startProcess } from './sandbox/process-sandbox.ts';
import { startEngine } from './test-support/engine-fixture.ts';

/** What a machine without bwrap has. */
async function plainProvider(): Promise<SandboxProvider> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-plain-'));
  return {
    capabilities: { kind: 'process', cgroups: 'none', network: 'none', seccomp: false, missing: [] },
    programs: async () => ({ shell: ['/bin/sh'], env: ['/usr/bin/env'] }),
    create: (options) => startProcess(directory, options, () => {}),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

describe('functions as plain processes', () => {
  it('run with layers, on Node.js and Python', async () => {
    const sandboxes = await plainProvider();
    await using fixture = await startEngine({ sandboxes });
    const layer = await fixture.files({
      'nodejs/node_modules/dep/index.js': 'module.exports = "from a layer"',
      'python/dep.py': 'value = "from a layer"',
    });
    const layers = [{ directory: layer, digest: 'layer' }];
    const node = await fixture.spec({ 'index.js': 'exports.handler = async (e) => [e, require("dep")]' }, { layers });
    assert.deepEqual((await fixture.call(node, 1)).value, [1, 'from a layer']);
    assert.deepEqual((await fixture.call(node, 2)).value, [2, 'from a layer']);
    const python = await fixture.spec(
      { 'app.py': 'import dep\ndef handler(e, c):\n    print("out")\n    return dep.value' },
      { layers, runtime: 'python3.11', handler: 'app.handler' },
    );
    const { value, tail } = await fixture.call(python);
    assert.equal(value, 'from a layer');
    assert.match(tail, /\nout\n/);
    await fixture.engine.close();
    await sandboxes.close();
  });

  it('run custom runtimes with extensions', async () => {
    const sandboxes = await plainProvider();
    await using fixture = await startEngine({ sandboxes });
    const bootstrap = `#!/usr/bin/python3 -u
import http.client, os
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = connection.getresponse(); body = answer.read()
    rid = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    connection.request("POST", f"/2018-06-01/runtime/invocation/{rid}/response", body)
    connection.getresponse().read()
`;
    const spec = await fixture.spec({ 'bootstrap*': bootstrap }, { runtime: 'provided.al2023' });
    assert.deepEqual((await fixture.call(spec, { a: 1 })).value, { a: 1 });
    await fixture.engine.close();
    await sandboxes.close();
  });

  it('end at their time-out', async () => {
    const sandboxes = await plainProvider();
    await using fixture = await startEngine({ sandboxes });
    const spec = await fixture.spec({ 'index.js': 'exports.handler = async () => { for (;;); }' }, { timeoutMs: 200 });
    assert.equal((await fixture.call(spec)).value.errorType, 'Sandbox.Timedout');
    await fixture.engine.close();
    await sandboxes.close();
  });
});
