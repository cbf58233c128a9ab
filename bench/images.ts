/**
 * Images beside Docker's and buildah's: builds (from nothing, unchanged, after one source file changed), pushes to and
 * pulls from a registry on loopback. `node bench/images.ts [rounds]`, as root.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  archiveOf,
  type BenchFile,
  busyboxArchive,
  type Engine,
  run,
  STATE,
  startDockerEngine,
  startKobuneEngine,
} from './container-engines.ts';
import { type Row, report, spread } from './report.ts';

const ROUNDS = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? 5);
const BASE = 'base:1';
const SOURCES = 300;
/** Of files that do not compress, as libraries in an image hardly do. */
const BIG_FILES = 24;
const BIG_FILE_BYTES = 4 * 1024 * 1024;
const SMALL_FILES = 4000;

const DOCKERFILE = `FROM ${BASE} AS deps
WORKDIR /app
COPY package.json ./
RUN mkdir -p node_modules && for i in $(seq 200); do echo "module $i" > node_modules/$i.js; done
FROM ${BASE} AS build
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY . .
RUN cat src/*.js > bundle.js && sha256sum bundle.js > bundle.sum
FROM ${BASE}
WORKDIR /srv
COPY --from=build /app/bundle.js /app/bundle.sum ./
COPY --from=deps /app/node_modules ./node_modules
ENV NODE_ENV=production
USER 1000
EXPOSE 3000
CMD ["cat", "bundle.sum"]
`;

function sources(version: string): BenchFile[] {
  return [
    { name: 'Dockerfile', content: DOCKERFILE },
    { name: 'package.json', content: '{"name":"shop"}' },
    ...Array.from({ length: SOURCES }, (_, n) => ({
      name: `src/${n}.js`,
      content: `export const a${n} = ${n};\n${'// text\n'.repeat(200)}${n === 0 ? `// ${version}` : ''}`,
    })),
  ];
}

interface Builds {
  readonly cold: number[];
  readonly unchanged: number[];
  readonly changed: number[];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function builds(
  build: (version: string, options: { readonly cache: boolean }) => Promise<unknown>,
): Promise<Builds> {
  const figures: Builds = { cold: [], unchanged: [], changed: [] };
  for (let round = 0; round < ROUNDS; round++) {
    figures.cold.push(await timed(() => build(`first ${round}`, { cache: false })));
    await build(`first ${round}`, { cache: true });
    figures.unchanged.push(await timed(() => build(`first ${round}`, { cache: true })));
    figures.changed.push(await timed(() => build(`second ${round}`, { cache: true })));
  }
  return figures;
}

async function engineBuilds({ api }: Engine): Promise<Builds> {
  await api.import(BASE, await busyboxArchive());
  return builds(async (version, { cache }) =>
    api.build('shop:1', await archiveOf(sources(version)), cache ? {} : { nocache: '1' }),
  );
}

/** buildah on directories of its own, with its overlay driver and layers cached as Docker does. */
async function buildahBuilds(): Promise<Builds | undefined> {
  const directory = await mkdtemp(join(STATE, 'buildah-bench-'));
  const buildah = (...words: string[]) =>
    run(
      'buildah',
      ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'overlay', ...words],
      {
        maxBuffer: 64 << 20,
      },
    );
  try {
    await writeFile(join(directory, 'base.tar'), await busyboxArchive());
    await writeFile(join(directory, 'Base'), 'FROM scratch\nADD base.tar /\n');
    await buildah('bud', '--isolation', 'chroot', '-t', BASE, '-f', join(directory, 'Base'), directory);
    return await builds(async (version, { cache }) => {
      const context = join(directory, 'context');
      for (const { name, content } of sources(version)) {
        await mkdir(dirname(join(context, name)), { recursive: true });
        await writeFile(join(context, name), content ?? '');
      }
      await buildah(
        'bud',
        '--isolation',
        'chroot',
        '--layers',
        ...(cache ? [] : ['--no-cache']),
        '-t',
        'shop:1',
        context,
      );
    });
  } catch (error) {
    console.error(`buildah is not measured: ${error instanceof Error ? error.message.slice(0, 500) : error}`);
    return undefined;
  } finally {
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }
}

interface Transfers {
  readonly push: number[];
  readonly pull: number[];
}

/** An image of three layers, 100 MB that do not compress and 4,000 small files. */
async function transfers({ api, registry }: Engine): Promise<Transfers> {
  const big = await archiveOf([
    { name: 'Dockerfile', content: `FROM ${BASE}\nCOPY big /big\nCOPY small /small\n` },
    ...Array.from({ length: BIG_FILES }, (_, n) => ({ name: `big/${n}`, content: randomBytes(BIG_FILE_BYTES) })),
    ...Array.from({ length: SMALL_FILES }, (_, n) => ({
      name: `small/${n % 40}/${n}`,
      content: `file ${n}\n`.repeat(50),
    })),
  ]);
  const figures: Transfers = { push: [], pull: [] };
  const auth = { 'x-registry-auth': Buffer.from('{}').toString('base64url') };
  for (let round = 0; round < ROUNDS; round++) {
    const name = `${registry}/big${round}`;
    await api.build(`${name}:1`, big, { nocache: '1' });
    figures.push.push(
      await timed(() => api.call('POST', `/images/${encodeURIComponent(name)}/push?tag=1`, undefined, auth)),
    );
    await api.call('DELETE', `/images/${encodeURIComponent(`${name}:1`)}?force=1`);
    await api.call('POST', `/images/prune`);
    await api.call('POST', `/build/prune?all=1`).catch(() => undefined);
    figures.pull.push(
      await timed(() =>
        api.call('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=1`, undefined, auth),
      ),
    );
    await api.call('DELETE', `/images/${encodeURIComponent(`${name}:1`)}?force=1`);
  }
  return figures;
}

const rows: Row[] = [];
const buildah = await buildahBuilds();
let docker: { readonly builds: Builds; readonly transfers: Transfers } | undefined;
{
  await using engine = await startDockerEngine();
  if (engine) docker = { builds: await engineBuilds(engine), transfers: await transfers(engine) };
}
{
  await using engine = await startKobuneEngine();
  const own = { builds: await engineBuilds(engine), transfers: await transfers(engine) };
  const add = (
    what: string,
    mine: readonly number[],
    peers: Readonly<Record<string, readonly number[] | undefined>>,
  ) => {
    const { p50, p99 } = spread(mine);
    const known = Object.entries(peers).flatMap(([name, samples]) => (samples ? [{ name, ...spread(samples) }] : []));
    rows.push(
      {
        what,
        p50,
        p99,
        ...(known.length > 0 ? { floor: 'its peers', reached: known.every((peer) => p50 <= peer.p50) } : {}),
        note: known.map((peer) => `${(peer.p50 / p50).toFixed(1)}× ${peer.name}`).join(', '),
      },
      ...known.map(({ name, p50, p99 }) => ({ what: `  ${name}`, p50, p99 })),
    );
  };
  for (const [kind, what] of [
    ['cold', 'multi-stage build, no cache'],
    ['unchanged', 'the same build again, nothing changed'],
    ['changed', 'the same build after one source file changed'],
  ] as const) {
    add(what, own.builds[kind], { Docker: docker?.builds[kind], buildah: buildah?.[kind] });
  }
  add('push of 100 MB and 4,000 small files, loopback', own.transfers.push, { Docker: docker?.transfers.push });
  add('pull of the same', own.transfers.pull, { Docker: docker?.transfers.pull });
}
report(rows);
