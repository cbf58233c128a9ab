import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ServiceError } from '../../base/errors.ts';
import type { ImageEvent } from '../images.ts';
import {
  addBusybox,
  addImage,
  assertNothingKept,
  busyboxLayer,
  makeArchive,
  noRootsReason,
  openTestImages,
  refusedWith,
} from '../test-support.ts';

const skip = noRootsReason ?? (existsSync('/usr/bin/skopeo') ? undefined : 'skopeo is missing: apt-get install skopeo');

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe('archives of images', { skip }, () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  const skopeo = (...args: string[]) =>
    execFileSync('skopeo', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  let appId: string;
  let busyboxId: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-archives-'));
    await using at = await openTestImages();
    busyboxId = (await addBusybox(at)).id;
    appId = (
      await addImage(at, 'app:1.0', [busyboxLayer(), makeArchive([{ path: 'app', content: 'hi' }])], {
        config: { Cmd: ['cat', '/app'], Env: ['A=b'] },
      })
    ).id;
    await at.images.tag('app:1.0', 'localhost:5000/team/app:2');
    await pipeline(
      await at.images.save(['busybox', 'app:1.0', 'localhost:5000/team/app']),
      createWriteStream(path('saved.tar')),
    );
    await pipeline(await at.images.save(['app:1.0'], { format: 'oci' }), createWriteStream(path('saved-oci.tar')));
  });
  after(() => rm(directory, { recursive: true }));

  it('that are saved are read by skopeo, as Docker archives and as OCI layouts', () => {
    for (const source of [`docker-archive:${path('saved.tar')}:app:1.0`, `oci-archive:${path('saved-oci.tar')}`]) {
      const config = JSON.parse(skopeo('inspect', '--config', source)) as { config: unknown };
      assert.deepEqual(config.config, { Env: ['A=b'], Cmd: ['cat', '/app'] });
    }
    skopeo('copy', `docker-archive:${path('saved.tar')}:busybox:latest`, `dir:${path('dir')}`);
    assert.ok(existsSync(path('dir/manifest.json')));
    assert.equal(
      execFileSync('tar', ['-tf', path('saved-oci.tar')], { encoding: 'utf8' }).includes('manifest.json'),
      false,
    );
  });

  it('are the same for the same images', async () => {
    await using at = await openTestImages();
    await at.images.load(createReadStream(path('saved.tar')));
    const again = Buffer.concat(
      await (await at.images.save(['busybox', 'app:1.0', 'localhost:5000/team/app'])).toArray(),
    );
    assert.ok(again.equals(readFileSync(path('saved.tar'))));
  });

  for (const [what, make] of [
    [
      'docker-archive',
      () => skopeo('copy', `docker-archive:${path('saved.tar')}:app:1.0`, `docker-archive:${path('a.tar')}:made:1`),
    ],
    [
      'docker-archive, compressed',
      () => {
        skopeo('copy', `docker-archive:${path('saved.tar')}:app:1.0`, `docker-archive:${path('b.tar')}:made:1`);
        execFileSync('gzip', ['-f', path('b.tar')]);
      },
    ],
    [
      'oci-archive of gzip layers',
      () =>
        skopeo(
          'copy',
          '--dest-compress',
          `docker-archive:${path('saved.tar')}:app:1.0`,
          `oci-archive:${path('c.tar')}:made:1`,
        ),
    ],
    [
      'oci-archive of zstd layers',
      () =>
        skopeo(
          'copy',
          '--dest-compress',
          '--dest-compress-format',
          'zstd',
          `docker-archive:${path('saved.tar')}:app:1.0`,
          `oci-archive:${path('d.tar')}:made:1`,
        ),
    ],
    [
      'oci layout in a tar with links',
      () => {
        skopeo('copy', `docker-archive:${path('saved.tar')}:app:1.0`, `oci:${path('layout')}:made:1`);
        execFileSync('sh', [
          '-c',
          `cd '${path('layout')}' && f=$(ls blobs/sha256 | head -1) && ln blobs/sha256/$f again && tar -cf '${path('e.tar')}' again oci-layout index.json blobs && zstd -qf '${path('e.tar')}'`,
        ]);
      },
    ],
    ['docker save', () => {}],
  ] as const) {
    it(`are loaded: ${what}`, async () => {
      make();
      const file = {
        'docker-archive': 'a.tar',
        'docker-archive, compressed': 'b.tar.gz',
        'oci-archive of gzip layers': 'c.tar',
        'oci-archive of zstd layers': 'd.tar',
        'oci layout in a tar with links': 'e.tar.zst',
        'docker save': 'saved.tar',
      }[what];
      await using at = await openTestImages();
      const events: ImageEvent[] = [];
      at.images.onEvent((event) => events.push(event));
      const statuses = new Set<string>();
      const loaded = await at.images.load(createReadStream(path(file)), {
        onProgress: ({ status }) => statuses.add(status),
      });
      assert.deepEqual(
        loaded,
        what === 'docker save' ? ['busybox:latest', 'app:1.0', 'localhost:5000/team/app:2'] : ['made:1'],
      );
      assert.deepEqual([...statuses], ['Loading layer']);
      assert.deepEqual(
        events.map(({ action, attributes }) => `${action} ${attributes.name}`),
        loaded.map((name) => `load ${name}`),
      );
      const image = await at.images.get(loaded.at(-1)!);
      // From Docker's to OCI's format, skopeo writes the configuration anew.
      if (!file.startsWith('c') && !file.startsWith('d') && !file.startsWith('e')) assert.equal(image.id, appId);
      assert.deepEqual(image.config.config, { Cmd: ['cat', '/app'], Env: ['A=b'] });
      const root = await at.images.roots.create('r', image.layers);
      assert.equal(execFileSync('chroot', [root.path, '/bin/cat', '/app'], { encoding: 'utf8' }), 'hi');
    });
  }

  it("are podman's and buildah's, too", {
    skip: existsSync('/usr/bin/podman') && existsSync('/usr/bin/buildah') ? false : 'podman or buildah is missing',
  }, async () => {
    const storage = ['--root', path('storage'), '--runroot', path('run'), '--storage-driver', 'vfs'];
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, [...storage, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    assert.match(run('podman', 'load', '-q', '-i', path('saved.tar')), /app:1\.0/);
    run('podman', 'save', '-q', '-o', path('podman.tar'), 'app:1.0');
    run('podman', 'save', '-q', '--format', 'oci-archive', '-o', path('podman-oci.tar'), 'app:1.0');
    run('buildah', 'push', '-q', 'app:1.0', `oci-archive:${path('buildah.tar')}:built:1`);
    for (const [file, name] of [
      ['podman.tar', /app:1\.0$/],
      ['podman-oci.tar', /app:1\.0$/],
      ['buildah.tar', /^built:1$/],
    ] as const) {
      await using at = await openTestImages();
      const [loaded] = await at.images.load(createReadStream(path(file)));
      assert.match(loaded!, name);
      assert.deepEqual((await at.images.get(loaded!)).config.config?.Cmd, ['cat', '/app']);
    }
  });

  it('name images by ID where they have no name', async () => {
    await using at = await openTestImages();
    await at.images.load(createReadStream(path('saved.tar')));
    const byId = Buffer.concat(await (await at.images.save([busyboxId.slice(7, 19)])).toArray());
    await using other = await openTestImages();
    assert.deepEqual(await other.images.load(whole(byId)), [busyboxId]);
    assert.deepEqual((await other.images.get(busyboxId)).tags, []);
    await assert.rejects(at.images.save(['none']), refusedWith('ImageNotFound', /No such image: none:latest/));
  });

  it('are chosen for a platform out of an index', async () => {
    await using at = await openTestImages();
    const { archive, ids } = indexArchive(['linux/amd64', 'linux/arm64']);
    assert.deepEqual(await at.images.load(whole(archive), { platform: { os: 'linux', architecture: 'arm64' } }), [
      'multi:latest',
    ]);
    assert.equal((await at.images.get('multi')).id, ids[1]);
    await assert.rejects(
      at.images.load(whole(archive), { platform: { os: 'linux', architecture: 's390x' } }),
      refusedWith('NoSuchManifest', /no matching manifest for linux\/s390x/),
    );
  });

  it('that are wrong are refused, and leave nothing behind', async () => {
    await using at = await openTestImages();
    const layer = makeArchive([{ path: 'a' }]);
    const config = (diffId: string) =>
      JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } });
    const manifest = (more: object = {}) =>
      JSON.stringify([{ Config: 'config.json', RepoTags: ['x:1'], Layers: ['layer.tar'], ...more }]);
    const zeros = `sha256:${'0'.repeat(64)}`;
    const wrong: [Parameters<typeof makeArchive>[0], string, RegExp][] = [
      [[{ path: 'x', content: 'y' }], 'InvalidArchive', /neither manifest\.json nor index\.json/],
      [[{ path: 'manifest.json', content: '{' }], 'InvalidArchive', /not JSON/],
      [[{ path: 'manifest.json', content: '{}' }], 'InvalidArchive', /not a list/],
      [[{ path: 'manifest.json', content: manifest() }], 'InvalidArchive', /has no layer\.tar/],
      [[{ path: 'manifest.json', content: manifest({ Layers: ['../../etc/passwd'] }) }], 'InvalidArchive', /leads out/],
      [
        [
          { path: 'layer.tar', type: 'symlink', linkTarget: '../../etc/passwd' },
          { path: 'manifest.json', content: manifest() },
        ],
        'InvalidArchive',
        /leads out/,
      ],
      [
        [
          { path: 'manifest.json', content: manifest() },
          { path: 'layer.tar', content: layer },
          { path: 'config.json', content: config(zeros) },
        ],
        'InvalidArchive',
        /instead of sha256:0000/,
      ],
      [
        [
          { path: 'manifest.json', content: manifest({ Layers: [] }) },
          { path: 'config.json', content: config(zeros) },
        ],
        'InvalidImage',
        /it tells 1 layers, and there are 0/,
      ],
      [
        [
          { path: 'manifest.json', content: manifest({ RepoTags: ['NO'] }) },
          { path: 'layer.tar', content: layer },
          { path: 'config.json', content: config(zeros) },
        ],
        'InvalidReference',
        /lowercase/,
      ],
      [
        [
          { path: 'index.json', content: '{"schemaVersion":2}' },
          { path: 'a', type: 'symlink', linkTarget: 'a' },
          { path: 'manifest.json', type: 'symlink', linkTarget: 'a' },
        ],
        'InvalidArchive',
        /x/,
      ],
    ];
    for (const [files, code, problem] of wrong.slice(0, -1)) {
      await assert.rejects(at.images.load(whole(makeArchive(files))), refusedWith(code, problem), String(problem));
      await assertNothingKept(at);
    }
    assert.deepEqual(await at.images.load(whole(makeArchive(wrong.at(-1)![0]))), [], 'an empty index has no image');
    await assert.rejects(
      at.images.load(whole(Buffer.from('nonsense'.repeat(100)))),
      refusedWith('InvalidArchive', /no tar archive/),
    );
    const cut = readFileSync(path('saved.tar')).subarray(0, 1_000_000);
    await assert.rejects(at.images.load(whole(cut)), refusedWith('InvalidArchive', /ends in the middle/));
    await assert.rejects(
      at.images.load(whole(gzipSync(cut).subarray(0, 10_000))),
      refusedWith('InvalidArchive', /decompressed/),
    );
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield cut;
      throw new Error('the client went away');
    }
    await assert.rejects(at.images.load(failing()), /the client went away/);
    await assertNothingKept(at);
  });

  it('that are changed at will are loaded or refused', async () => {
    await using at = await openTestImages();
    const archive = Buffer.concat(
      await (async () => {
        await addImage(at, 'small', [makeArchive([{ path: 'a', content: 'x' }])]);
        return (await at.images.save(['small'])).toArray();
      })(),
    );
    await at.images.remove('small');
    const change = fc.tuple(fc.nat(archive.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(archive);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          await at.images.load(whole(bytes));
        } catch (error) {
          assert.ok(error instanceof ServiceError, String(error));
        }
      }),
      { seed: 11, numRuns: 60 },
    );
    await at.images.prune({ all: true });
    await assertNothingKept(at);
  });

  it('of a file system become an image of one layer', async () => {
    await using at = await openTestImages();
    const archive = makeArchive([{ path: 'file', content: 'x' }]);
    const image = await at.images.import(whole(gzipSync(archive)), {
      reference: 'imported:1',
      message: 'by hand',
      config: { config: { Cmd: ['x'] } },
    });
    assert.deepEqual(image.tags, ['imported:1']);
    assert.deepEqual(
      [image.config.config, image.config.comment, image.layers[0]!.size],
      [{ Cmd: ['x'] }, 'by hand', archive.length],
    );
    assert.equal(image.config.created, '2026-01-01T00:00:00.000Z');
    await at.images.remove('imported:1');
    await assert.rejects(
      at.images.import(whole(makeArchive([{ path: '../x' }])), {}),
      refusedWith('InvalidArchive', /leads out/),
    );
    await assertNothingKept(at);
  });
});

/** An OCI layout of one index with an image for each platform. */
function indexArchive(platforms: readonly string[]): { archive: Buffer; ids: string[] } {
  const files: { path: string; content: string }[] = [];
  const put = (content: string, mediaType: string) => {
    const digest = `sha256:${hash('sha256', content)}`;
    files.push({ path: `blobs/${digest.replace(':', '/')}`, content });
    return { mediaType, digest, size: Buffer.byteLength(content) };
  };
  const ids: string[] = [];
  const manifests = platforms.map((text) => {
    const [os, architecture] = text.split('/');
    const config = put(
      JSON.stringify({ architecture, os, rootfs: { type: 'layers', diff_ids: [] } }),
      'application/vnd.oci.image.config.v1+json',
    );
    ids.push(config.digest);
    const manifest = put(
      JSON.stringify({ schemaVersion: 2, config, layers: [] }),
      'application/vnd.oci.image.manifest.v1+json',
    );
    return { ...manifest, platform: { os, architecture } };
  });
  const index = put(JSON.stringify({ schemaVersion: 2, manifests }), 'application/vnd.oci.image.index.v1+json');
  const top = {
    schemaVersion: 2,
    manifests: [{ ...index, annotations: { 'org.opencontainers.image.ref.name': 'multi:latest' } }],
  };
  return {
    archive: makeArchive([
      ...files,
      { path: 'index.json', content: JSON.stringify(top) },
      { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    ]),
    ids,
  };
}
