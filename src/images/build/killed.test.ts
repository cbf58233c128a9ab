import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keyOf } from './cache/cache-keys.ts';
import { ScratchBuilder } from './testing/scratch-builder.ts';
import { noStepsReason, stepContainers } from './testing/step-containers.ts';

const PROGRAM = join(import.meta.dirname, 'testing/build-program.ts');

const open = (directory: string) => ScratchBuilder.open(stepContainers, { directory });

/** Starts a build in a process of its own and kills that when it has printed `when`. */
async function buildAndKill(directory: string, context: string, dockerfile: string, when: string): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, directory, context, dockerfile], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    output += chunk as string;
    if (output.includes(when)) child.kill('SIGKILL');
  }
  await ended;
  assert.equal(child.signalCode, 'SIGKILL', output);
}

describe('a builder that is killed', { skip: noStepsReason }, () => {
  const TEXT = [
    'FROM busybox',
    'COPY a /a',
    'RUN echo 1 > /one',
    // Ends by itself soon: what runs in containers is not this test's subject.
    'RUN --mount=type=cache,target=/c --mount=type=secret,id=token echo half > /half; echo in the middle; sleep 1',
    'RUN cat /a /one > /all',
  ].join('\n');

  for (const [name, when] of [
    ['in the middle of a step', 'in the middle'],
    ['between steps', 'done RUN echo 1'],
    ['at the beginning of a copy', 'started COPY a /a'],
    ['when the image is to be made', 'done RUN cat'],
  ] as const) {
    it(`${name} leaves nothing half-made, and the next build goes on from there`, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'kobune-build-'));
      try {
        let context: string;
        {
          await using scratch = await open(directory);
          await scratch.busybox();
          context = await scratch.context({ a: 'A\n' });
        }
        await buildAndKill(directory, context, TEXT, when);
        await using scratch = await open(directory);
        const secrets = new Map([['token', Buffer.from('KILLED-SECRET')]]);
        const { image, misses } = await scratch.build(TEXT, { directory: context, tags: ['killed'], secrets });
        assert.equal(await scratch.read(image, 'all'), 'A\n1\n');
        assert.equal(await scratch.read(image, 'half'), 'half\n');
        const before = TEXT.split('\n').slice(1);
        const done = {
          'in the middle of a step': 2,
          'between steps': 2,
          'at the beginning of a copy': 0,
          'when the image is to be made': 4,
        };
        assert.ok(misses.length <= before.length - done[name], misses.join('\n'));
        // The roots and scratch files of both builds are gone, and so are the secrets.
        assert.deepEqual(
          (await scratch.images.roots.list()).filter((id) => id.startsWith('build-')),
          [],
        );
        assert.deepEqual(await readdir(join(directory, 'images/build/running')).catch(() => []), []);
        const secretFiles = `/dev/shm/kobune-${keyOf(join(directory, 'images/build')).slice(0, 16)}`;
        assert.deepEqual(existsSync(secretFiles) ? await readdir(secretFiles) : [], []);
        const base = await scratch.images.get('busybox');
        assert.deepEqual(await scratch.images.holders(base.id), []);
        const mounts = await readFile('/proc/self/mounts', 'utf8');
        assert.ok(!mounts.includes(`${directory}/images/roots/build-`));
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
  }
});
