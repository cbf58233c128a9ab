import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Pack, pack } from 'tar-stream';
import type { Clock } from '../../../base/clock.ts';
import type { Logger } from '../../../base/logger.ts';
import { createManualClock } from '../../../base/system-clock.ts';
import { createSystemRandom } from '../../../base/system-random.ts';
import { openBlobStore, openLmdbStore, openMemoryStore, type Store } from '../../../store/index.ts';
import { createContentStore } from '../../content/content-store.ts';
import type { ContentStore } from '../../content.ts';
import { createImages } from '../../create-images.ts';
import type { Image, Images } from '../../images.ts';
import { MEDIA_TYPES, type RunConfig } from '../../oci.ts';
import type { Builder, BuildOptions, BuildProgress } from '../builder.ts';
import { createBuilder } from '../create-builder.ts';
import type { StepRunner } from '../step-runner.ts';

/** Files of a context or an image by path; a directory ends with `/`, a link begins with `-> `. */
export type Files = Readonly<Record<string, string | Buffer>>;

/** A builder over real parts in a directory of its own, for tests. */
export class ScratchBuilder implements AsyncDisposable {
  readonly directory: string;
  readonly store: Store;
  readonly content: ContentStore;
  readonly images: Images;
  readonly builder: Builder;
  readonly clock: Clock & { advance(ms: number): void };
  readonly #closings: (() => Promise<unknown>)[];
  readonly #owns: boolean;

  private constructor(fields: {
    directory: string;
    store: Store;
    content: ContentStore;
    images: Images;
    builder: Builder;
    clock: Clock & { advance(ms: number): void };
    closings: (() => Promise<unknown>)[];
    owns: boolean;
  }) {
    this.directory = fields.directory;
    this.store = fields.store;
    this.content = fields.content;
    this.images = fields.images;
    this.builder = fields.builder;
    this.clock = fields.clock;
    this.#closings = fields.closings;
    this.#owns = fields.owns;
  }

  /** `directory`: one that lasts, with a store on disk. */
  static async open(
    makeRunner: (directory: string) => StepRunner,
    options: { readonly directory?: string; readonly maxCacheBytes?: number } = {},
  ): Promise<ScratchBuilder> {
    const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'kobune-build-')));
    const random = createSystemRandom();
    const clock = createManualClock(Date.now());
    const store =
      options.directory === undefined
        ? openMemoryStore()
        : await openLmdbStore({ directory: join(directory, 'store') });
    const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random, durable: false });
    const content = createContentStore({ store, blobs });
    const images = await createImages({
      content,
      store,
      clock,
      random,
      logger: SILENT,
      directory: join(directory, 'images'),
    });
    const runner = makeRunner(join(directory, 'docker'));
    const builder = createBuilder({
      images,
      content,
      store,
      runner,
      random,
      logger: SILENT,
      directory: join(directory, 'images'),
      clock,
      ...(options.maxCacheBytes === undefined ? {} : { maxCacheBytes: options.maxCacheBytes }),
    });
    const closings = [() => builder.close(), () => images.close(), () => blobs.close(), () => store.close()];
    return new ScratchBuilder({
      directory,
      store,
      content,
      images,
      builder,
      clock,
      closings,
      owns: options.directory === undefined,
    });
  }

  /** An image of these files, under a name. */
  async image(name: string, files: Files, config: RunConfig = {}, architecture = HOST): Promise<Image> {
    const blob = await this.content.write(await tar(files));
    const descriptor = { mediaType: MEDIA_TYPES.ociLayer, digest: blob.digest, size: blob.size };
    const image = await this.images.add(
      {
        config: {
          created: '2024-01-01T00:00:00Z',
          architecture,
          os: 'linux',
          config,
          rootfs: { type: 'layers', diff_ids: [blob.digest] },
          history: [{ created: '2024-01-01T00:00:00Z', created_by: 'base' }],
        },
        layers: [{ descriptor, diffId: blob.digest, size: blob.size }],
      },
      name,
    );
    blob.release();
    return image;
  }

  /** Busybox with its commands, a shell among them. */
  async busybox(name = 'busybox', files: Files = {}, config: RunConfig = {}): Promise<Image> {
    return await this.image(
      name,
      {
        'bin/busybox': await readFile('/bin/busybox'),
        ...Object.fromEntries(COMMANDS.map((command) => [`bin/${command}`, '-> busybox'])),
        'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002:App:/home/app:/bin/sh\n',
        'etc/group': 'root:x:0:\napp:x:1002:\nstaff:x:50:\n',
        'root/': '',
        'tmp/': '',
        ...files,
      },
      { Env: ['PATH=/bin'], Cmd: ['sh'], ...config },
    );
  }

  /** A directory with these files. */
  async context(files: Files): Promise<string> {
    const directory = await mkdtemp(join(this.directory, 'context-'));
    await writeFiles(directory, files);
    return directory;
  }

  /** Builds; answers the image and all that was told. */
  async build(
    dockerfile: string,
    options: Partial<BuildOptions> & { readonly files?: Files; readonly directory?: string } = {},
  ): Promise<Built> {
    const { files, directory, ...rest } = options;
    const events: BuildProgress[] = [];
    const result = await this.builder.build({
      context: { directory: directory ?? (await this.context(files ?? {})) },
      dockerfile: { text: dockerfile, name: 'Dockerfile' },
      tags: [],
      buildArgs: {},
      labels: {},
      network: 'none',
      onProgress: (event) => events.push(event),
      ...rest,
    });
    return new Built(await this.images.get(result.imageId), events);
  }

  /** What a shell command prints in the file system of an image, run on this machine with that root. */
  async list(image: Image): Promise<Map<string, string>> {
    const root = await this.images.roots.create(`look-${createSystemRandom().hex(8)}`, image.layers, {
      readOnly: true,
    });
    try {
      const { stdout } = await promisify(execFile)(
        'find',
        ['.', '-mindepth', '1', '-printf', '%P\\t%y %m %U:%G %l\\n'],
        { cwd: root.path, maxBuffer: 1 << 26 },
      );
      return new Map(
        stdout
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split('\t').map((part) => part.trim()) as [string, string]),
      );
    } finally {
      await root.remove();
    }
  }

  /** The content of a file of an image; undefined when there is none. */
  async read(image: Image, path: string): Promise<string | undefined> {
    const root = await this.images.roots.create(`look-${createSystemRandom().hex(8)}`, image.layers, {
      readOnly: true,
    });
    try {
      return await readFile(join(root.path, path), 'utf8').catch(() => undefined);
    } finally {
      await root.remove();
    }
  }

  async close(): Promise<void> {
    for (const close of this.#closings.splice(0)) await close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    if (this.#owns) await rm(this.directory, { recursive: true, force: true });
  }
}

/** What a build has made and told. */
export class Built {
  readonly image: Image;
  readonly events: readonly BuildProgress[];

  constructor(image: Image, events: readonly BuildProgress[]) {
    this.image = image;
    this.events = events;
  }

  /** Each step that was done with how: `RUN x: cached`, or `RUN x: ` and why not. */
  get steps(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'step' && event.state === 'done'
        ? [`${event.step.text}: ${event.cached ? 'cached' : (event.miss ?? 'done')}`]
        : [],
    );
  }

  /** Why each step that was carried out was not in the cache. */
  get misses(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'step' && event.state === 'done' && event.miss !== undefined
        ? [`${event.step.text}: ${event.miss}`]
        : [],
    );
  }

  get output(): string {
    return this.events
      .flatMap((event) => (event.kind === 'output' ? [Buffer.from(event.bytes).toString()] : []))
      .join('');
  }

  get warnings(): string[] {
    return this.events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
  }
}

const HOST = process.arch === 'x64' ? 'amd64' : process.arch;
const COMMANDS = (
  'sh cat echo ls mkdir rm touch true false cp mv ln id env pwd sleep stat test [ wc chmod chown head tail grep sed ' +
  'find sort tar addgroup adduser printf date readlink df mount hostname nc dd seq sync kill ps'
).split(' ');

export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};

async function writeFiles(directory: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const at = join(directory, path);
    if (path.endsWith('/')) {
      await mkdir(at, { recursive: true });
      continue;
    }
    await mkdir(dirname(at), { recursive: true });
    if (typeof content === 'string' && content.startsWith('-> ')) await symlink(content.slice(3), at);
    else {
      await writeFile(at, content);
      await chmod(at, 0o644);
    }
  }
}

/** An archive of these files; programs are executable. */
export async function tar(files: Files): Promise<Buffer> {
  const archive: Pack = pack();
  const directories = new Set<string>();
  for (const [path, content] of Object.entries(files)) {
    for (const parent of parents(path)) {
      if (directories.has(parent)) continue;
      directories.add(parent);
      archive.entry({ name: `${parent}/`, type: 'directory', mode: parent === 'tmp' ? 0o1777 : 0o755, mtime: OLD });
    }
    if (path.endsWith('/')) continue;
    if (typeof content === 'string' && content.startsWith('-> ')) {
      archive.entry({ name: path, type: 'symlink', linkname: content.slice(3), mtime: OLD });
    } else {
      const mode = /(^|\/)s?bin\//.test(path) ? 0o755 : 0o644;
      archive.entry({ name: path, mode, mtime: OLD }, content);
    }
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const OLD = new Date('2024-01-01T00:00:00Z');

function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
