import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { importBusybox, withoutBusybox } from '../support/busybox-image.ts';
import { runKobune } from '../support/running-kobune.ts';
import { root } from '../support/source-files.ts';

const COMMAND = join(root, 'src/cli/kobune.ts');

describe('kobune compose and a registry', {
  skip: withoutBusybox || noDockerReason(DOCKER_28),
  timeout: 120_000,
}, () => {
  it("pushes what it builds to Kobune's own, by a name with its port, and runs what it pulls from there", async () => {
    await using server = await runKobune();
    const registry = `localhost:${server.port}`;
    const data = join(server.scratch, 'data');
    await importBusybox(join(data, 'docker.sock'), 'busybox:1.36');
    await writeFile(
      join(server.scratch, 'compose.yaml'),
      `name: registry
services:
  web:
    image: ${registry}/shop/web:v1
    build:
      dockerfile_inline: "FROM busybox:1.36\\nRUN echo built > /made"
      context: .
      tags: ["${registry}/shop/web"]
    command: cat /made
  unnamed:
    build: {context: ., dockerfile_inline: "FROM busybox:1.36"}
    profiles: [unnamed]
  absent:
    image: ${registry}/shop/absent:v1
    profiles: [absent]
`,
    );
    const compose = async (...words: string[]) => {
      const child = spawn(process.execPath, [COMMAND, 'compose', '--data', data, ...words], {
        env: { PATH: process.env.PATH, HOME: server.scratch },
        cwd: server.scratch,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const [out, err, [status]] = await Promise.all([textOf(child.stdout), textOf(child.stderr), once(child, 'exit')]);
      return { status: Number(status), out, err };
    };
    const ok = async (...words: string[]) => {
      const ended = await compose(...words);
      assert.equal(ended.status, 0, `${words.join(' ')}: ${ended.err}`);
      return ended;
    };
    const listed = async (path: string) => (await fetch(`${server.endpoint}/v2/${path}`)).json();

    const built = await ok('build', '--push');
    for (const name of [`${registry}/shop/web:v1`, `${registry}/shop/web`])
      assert.ok(built.err.includes(` Image ${name}  Pushed\n`), built.err);
    assert.deepEqual(await listed('shop/web/tags/list'), { name: 'shop/web', tags: ['latest', 'v1'] });
    // A service without a name for its image is built, and what is made up for it goes nowhere.
    assert.doesNotMatch((await ok('--profile', 'unnamed', 'build', '--push', 'unnamed')).err, /Push/);
    assert.deepEqual(await listed('_catalog'), { repositories: ['shop/web'] });

    // Gone from the engine, it comes back from the registry.
    await ok('create');
    await ok('--profile', '*', 'down', '--rmi', 'all');
    assert.match((await ok('pull')).err, /Image \S+\/shop\/web:v1 {2}Pulled/);
    await ok('up', '--no-build', '--exit-code-from', 'web');
    assert.equal((await ok('logs', '--no-log-prefix')).out, 'built\n');
    await ok('push', 'web');
    await ok('down', '--rmi', 'all');

    const absent = await compose('--profile', 'absent', 'pull', 'absent');
    assert.equal(absent.status, 1);
    assert.match(absent.err, /absent: \S+\/shop\/absent:v1 could not be pulled: .*name unknown/);
    assert.match((await ok('pull', '--ignore-pull-failures', 'absent')).err, /warning: absent: .*name unknown/);
  });
});
