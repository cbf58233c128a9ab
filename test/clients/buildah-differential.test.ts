import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { ServiceError } from '../../src/base/errors.ts';
import { createSystemRandom } from '../../src/base/system-random.ts';
import { createStepRunner } from '../../src/containers/index.ts';
import { ScratchBuilder, SILENT } from '../../src/images/build/testing/scratch-builder.ts';
import type { ImageConfig, RunConfig } from '../../src/images/index.ts';
import { addImage, makeArchive } from '../../src/images/test-support.ts';
import { Buildah, noBuildahReason } from '../support/buildah.ts';
import { type DockerfileCase, REFUSED, SAME } from '../support/dockerfile-cases.ts';
import { baseFiles, writeContext } from '../support/dockerfile-context.ts';
import { EXPECTED } from '../support/dockerfile-expectations.ts';
import { fileTree } from '../support/file-tree.ts';

const BASE: RunConfig = {
  Env: ['PATH=/bin:/usr/bin', 'BASE_VARIABLE=from the base'],
  Cmd: ['sh', '-x'],
  Labels: { 'base-label': 'from the base' },
  Healthcheck: { Test: ['CMD', 'true'], Interval: 7e9 },
};

describe('the same Dockerfile, built by Kobune and by buildah', { skip: noBuildahReason ?? false }, () => {
  let directory: string;
  let context: string;
  let scratch: ScratchBuilder;
  let buildah: Buildah;
  let files: Server;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-differential-'));
    context = join(directory, 'context');
    await mkdir(context);
    await writeContext(context);
    const random = createSystemRandom();
    scratch = await ScratchBuilder.open((at) =>
      createStepRunner({
        networks: undefined as never,
        random,
        logger: SILENT,
        directory: at,
        instance: random.hex(12),
      }),
    );
    const base = baseFiles(await readFile('/bin/busybox'));
    await addImage(scratch, 'localhost/base', [makeArchive(base)], { config: BASE });
    await addImage(scratch, 'base', [makeArchive(base)], { config: BASE });
    files = createServer((request, response) => {
      const name = basename(request.url ?? '');
      response.setHeader('last-modified', 'Mon, 01 Jan 2024 00:00:00 GMT');
      if (name === 'archive.tar.gz') createReadStream(join(context, name)).pipe(response);
      else response.end(`content of ${name}\n`);
    });
    await once(files.listen(0, '127.0.0.1'), 'listening');
    buildah = await Buildah.open(join(directory, 'buildah'));
    const archive = join(directory, 'base.tar');
    await pipeline(await scratch.images.save(['localhost/base']), createWriteStream(archive));
    await buildah.load(archive);
  });
  after(async () => {
    files?.close();
    await buildah?.[Symbol.asyncDispose]();
    await scratch?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function contextOf({ ignore }: DockerfileCase): Promise<string> {
    if (ignore === undefined) return context;
    const copy = await mkdtemp(join(directory, 'context-'));
    await cp(context, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    await writeFile(join(copy, '.dockerignore'), ignore);
    return copy;
  }

  /** `URL` is where addresses are. */
  function argumentsOf(one: DockerfileCase): Readonly<Record<string, string>> {
    const { port } = files.address() as AddressInfo;
    return /^ARG URL$/m.test(one.dockerfile) ? { URL: `http://127.0.0.1:${port}` } : (one.arguments ?? {});
  }

  async function byKobune(
    one: DockerfileCase,
    at: string,
  ): Promise<{ config: ImageConfig; tree: Map<string, string> }> {
    const { image } = await scratch.build(one.dockerfile, {
      directory: at,
      buildArgs: argumentsOf(one),
      ...(one.target === undefined ? {} : { target: one.target }),
      secrets: new Map(Object.entries(one.secrets ?? {}).map(([id, content]) => [id, Buffer.from(content)])),
    });
    const root = await scratch.images.roots.create(`look-${createSystemRandom().hex(8)}`, image.layers, {
      readOnly: true,
    });
    try {
      return { config: image.config, tree: await fileTree(root.path) };
    } finally {
      await root.remove();
    }
  }

  async function byBuildah(
    one: DockerfileCase,
    at: string,
  ): Promise<{ config: ImageConfig; tree: Map<string, string> }> {
    const secrets: Record<string, string> = {};
    for (const [id, content] of Object.entries(one.secrets ?? {})) {
      secrets[id] = join(await mkdtemp(join(directory, 'secret-')), id);
      await writeFile(secrets[id], content);
    }
    return await buildah.build({ ...one, arguments: argumentsOf(one), context: at, secrets });
  }

  describe('has the same files and configuration', { concurrency: 2 }, () => {
    for (const one of SAME) {
      it(one.name, async () => {
        const at = await contextOf(one);
        const [ours, theirs] = await Promise.all([byKobune(one, at), byBuildah(one, at)]);
        assert.deepEqual(
          { files: differences(ours.tree, theirs.tree, Object.keys(one.differs ?? {})), ...configuration(ours.config) },
          { files: [], ...configuration(theirs.config) },
        );
      });
    }
  });

  describe('is, where buildah does otherwise, as the reference says', { concurrency: 2 }, () => {
    for (const one of EXPECTED) {
      it(one.name, async () => {
        const { config, tree } = await byKobune(one, await contextOf(one));
        const found = Object.fromEntries(Object.keys(one.tree ?? {}).map((path) => [path, tree.get(path)]));
        assert.deepEqual(found, one.tree ?? {});
        const members = Object.keys(one.config ?? {}) as (keyof RunConfig)[];
        assert.deepEqual(Object.fromEntries(members.map((name) => [name, config.config?.[name]])), one.config ?? {});
      });
    }
  });

  describe('is refused by both', { concurrency: 2 }, () => {
    for (const one of REFUSED) {
      it(one.name, async () => {
        const at = await contextOf(one);
        const [ours, theirs] = await Promise.allSettled([byKobune(one, at), byBuildah(one, at)]);
        assert.deepEqual([ours.status, theirs.status], ['rejected', 'rejected']);
        assert.ok(ours.status === 'rejected' && ours.reason instanceof ServiceError, String(ours));
      });
    }
  });
});

function differences(ours: Map<string, string>, theirs: Map<string, string>, except: readonly string[]): string[] {
  const paths = new Set([...ours.keys(), ...theirs.keys()]);
  const all = [...paths]
    .filter((path) => ours.get(path) !== theirs.get(path))
    .filter((path) => !except.some((one) => path === one || path.startsWith(`${one}/`)))
    .sort()
    .map((path) => `${path}: ${ours.get(path) ?? 'nothing'}, buildah: ${theirs.get(path) ?? 'nothing'}`);
  return all.length > 20 ? [...all.slice(0, 20), `… and ${all.length - 20} more`] : all;
}

/** What an image says of the containers that are made from it; what is empty is not there. */
function configuration({ config = {}, author }: ImageConfig): Readonly<Record<string, unknown>> {
  const { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Shell, OnBuild } = config;
  const { Healthcheck } = config;
  const all = { User, ExposedPorts, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Shell, OnBuild, author };
  const present = Object.entries({ ...all, Healthcheck, Env: [...(Env ?? [])].sort() }).filter(
    ([name, value]) =>
      value !== undefined &&
      value !== null &&
      value !== '' &&
      Object.keys(value).length > 0 &&
      // The directory that a container starts in when there is none.
      !(name === 'WorkingDir' && value === '/'),
  );
  return Object.fromEntries(present);
}
