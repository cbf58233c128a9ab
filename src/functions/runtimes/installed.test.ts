import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { parseRuntime } from './catalogue.ts';
import { chooseInterpreter, findInterpreters, type Interpreter } from './installed.ts';

const python = (version: number, boto3: boolean, path = `/py${version}${boto3}`): Interpreter => ({
  family: 'python',
  path,
  version,
  fullVersion: `3.${version}.0`,
  boto3,
  prefix: undefined,
});
const node = (version: number): Interpreter => ({
  family: 'nodejs',
  path: `/node${version}`,
  version,
  fullVersion: `${version}.0.0`,
  boto3: false,
  prefix: undefined,
});

describe('the interpreter for a runtime', () => {
  it('is the exact version, else the nearest, the newer of two equally near', () => {
    const runtime = parseRuntime('nodejs22.x')!;
    assert.equal(chooseInterpreter(runtime, [node(20), node(22), node(24)])?.version, 22);
    assert.equal(chooseInterpreter(runtime, [node(20), node(24)])?.version, 24);
    assert.equal(chooseInterpreter(runtime, [node(20), node(26)])?.version, 20);
    assert.equal(chooseInterpreter(runtime, [python(11, true)]), undefined);
  });

  it('is, for Python, one that can import boto3, if there is one', () => {
    const runtime = parseRuntime('python3.12')!;
    assert.equal(chooseInterpreter(runtime, [python(12, false), python(9, true), python(11, true)])?.version, 11);
    assert.equal(chooseInterpreter(runtime, [python(9, false), python(13, false)])?.version, 13);
    assert.equal(chooseInterpreter(runtime, [python(11, true, '/first'), python(11, true, '/second')])?.path, '/first');
  });

  it('is found among those installed for Kobune, named by a variable and on the path', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kobune-runtimes-'));
    const install = async (path: string, version: string) => {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), `#!/bin/sh\necho ${version}\n`);
      await chmod(join(directory, path), 0o755);
    };
    await install('runtimes/node-22/node_modules/node/bin/node', 'v22.9.1');
    await install('named', 'v24.0.2');
    await install('path/node', 'v20.1.0');
    await install('old/node', 'v16.0.0');
    const found = await findInterpreters({
      environment: {
        KOBUNE_NODE_24: join(directory, 'named'),
        PATH: `${directory}/path:${directory}/old`,
        HOME: directory,
        NVM_DIR: directory,
        PYENV_ROOT: directory,
      },
      runtimesDirectory: join(directory, 'runtimes'),
    });
    const versions = found.filter((one) => one.path.startsWith(directory)).map((one) => one.fullVersion);
    assert.deepEqual(versions.toSorted(), ['20.1.0', '22.9.1', '24.0.2']);
    await rm(directory, { recursive: true });
  });

  it('is unknown for a name that is no runtime', () => {
    for (const name of ['nodejs18.x', 'python3.8', 'java21', 'provided', ''])
      assert.equal(parseRuntime(name), undefined);
  });
});
