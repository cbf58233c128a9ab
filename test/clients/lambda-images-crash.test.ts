import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { BASE, FunctionImages } from '../support/function-images.ts';
import { KillableKobune } from '../support/killable-kobune.ts';

describe('Lambda functions from images when Kobune is killed', {
  skip: noDockerReason(DOCKER_28),
  timeout: 120_000,
}, () => {
  it('run again after the next start, and leave nothing mounted at its end', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'kobune-image-crash-'));
    const dataDirectory = join(scratch, 'data');
    const mounted = () => {
      const points = readFileSync('/proc/self/mounts', 'utf8').split('\n');
      return points.map((line) => line.split(' ')[1]!).filter((point) => point?.startsWith(dataDirectory));
    };
    const use = async (work: (images: FunctionImages) => Promise<void>, how: 'kill' | 'stop', first: boolean) => {
      await using kobune = await KillableKobune.start(dataDirectory);
      const server = { dataDirectory, scratch, settings: kobune.settings() };
      using images = first ? await FunctionImages.start(server) : FunctionImages.of(server);
      await work(images);
      await kobune[how]();
    };
    const works = async (images: FunctionImages) => {
      assert.equal((await images.run('kept', 'echo works')).output, 'works\n');
    };
    try {
      await use(
        async (images) => {
          const uri = await images.push(BASE, 'kept:1');
          await images.create('kept', uri);
          await works(images);
          // Its image has no name any more: the function alone keeps it.
          await images.docker(['rmi', '-f', BASE]);
          assert.deepEqual(mounted().length, 1);
        },
        'kill',
        true,
      );
      await use(
        async (images) => {
          await works(images);
          assert.equal(mounted().length, 1);
        },
        'kill',
        false,
      );
      // What is left is removed, whether a function is asked for or not.
      await use(async () => assert.deepEqual(mounted(), []), 'stop', false);
      await use(works, 'stop', false);
      assert.deepEqual(mounted(), []);
      await use(
        async (images) => {
          await images.lambda.send(new lambda.DeleteFunctionCommand({ FunctionName: 'kept' }));
        },
        'kill',
        false,
      );
      // The grace is for invocations, of which none has outlived the kill.
      await use(
        async (images) => assert.equal(await images.docker(['images', '-aq', '--filter', 'dangling=true']), ''),
        'stop',
        false,
      );
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
});
