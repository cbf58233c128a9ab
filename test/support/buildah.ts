import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageConfig } from '../../src/images/index.ts';
import { fileTree } from './file-tree.ts';

const run = promisify(execFile);

/** Why buildah cannot be compared with here; `undefined` when it can. */
export const noBuildahReason: string | undefined =
  process.getuid?.() !== 0
    ? 'containers need root'
    : existsSync('/usr/bin/buildah')
      ? undefined
      : 'buildah is missing: apt-get install buildah';

export interface BuildahBuild {
  readonly dockerfile: string;
  readonly context: string;
  readonly arguments?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Files by id. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Further options of `buildah bud`. */
  readonly options?: readonly string[];
}

export interface BuildahImage {
  readonly config: ImageConfig;
  readonly tree: Map<string, string>;
}

interface StoredImage {
  readonly id: string;
  readonly layer: string;
}

interface StoredLayer {
  readonly id: string;
  readonly parent?: string;
}

/** Debian's buildah with a store of its own in a scratch directory, which is deleted in the end. */
export class Buildah implements AsyncDisposable {
  readonly #directory: string;
  #count = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<Buildah> {
    for (const name of ['tmp', 'runroot', 'empty']) await mkdir(join(directory, name), { recursive: true });
    await writeFile(join(directory, 'auth.json'), '{}');
    return new Buildah(directory);
  }

  /** Takes an image out of a Docker archive. */
  async load(archive: string): Promise<void> {
    await this.#buildah('pull', '-q', `docker-archive:${archive}`);
  }

  /** Builds, and reads what came out. Rejects with what buildah printed. */
  async build(build: BuildahBuild): Promise<BuildahImage> {
    const number = this.#count++;
    const file = join(this.#directory, `Dockerfile-${number}`);
    const idFile = join(this.#directory, `id-${number}`);
    await writeFile(file, build.dockerfile);
    await this.#buildah(
      'bud',
      ...['-q', '--isolation', 'chroot', '--format', 'docker', '--layers=false', '--pull-never', '--network', 'host'],
      ...['--identity-label=false', '--file', file, '--iidfile', idFile],
      ...Object.entries(build.arguments ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      ...Object.entries(build.secrets ?? {}).flatMap(([id, source]) => ['--secret', `id=${id},src=${source}`]),
      ...(build.target === undefined ? [] : ['--target', build.target]),
      ...(build.options ?? []),
      build.context,
    );
    const id = (await readFile(idFile, 'utf8')).trim().replace(/^sha256:/, '');
    return { config: await this.#config(id), tree: await this.#tree(id, number) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const below = mounts.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
    for (const path of below.filter((mount) => mount.startsWith(`${this.#directory}/`)).reverse()) {
      await run('umount', ['--lazy', path]);
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #buildah(...words: string[]): Promise<void> {
    const store = ['--root', join(this.#directory, 'root'), '--runroot', join(this.#directory, 'runroot')];
    // Nothing of whoever runs the tests: no registries, no credentials.
    const env = {
      PATH: process.env.PATH,
      HOME: this.#directory,
      TMPDIR: join(this.#directory, 'tmp'),
      REGISTRY_AUTH_FILE: join(this.#directory, 'auth.json'),
    };
    await run('/usr/bin/buildah', [...store, '--storage-driver', 'overlay', ...words], { env, maxBuffer: 1 << 24 });
  }

  /** containers/storage keeps a configuration in a file that is named by the base64 of its digest. */
  async #config(id: string): Promise<ImageConfig> {
    const name = `=${Buffer.from(`sha256:${id}`).toString('base64')}`;
    return JSON.parse(await readFile(join(this.#directory, 'root/overlay-images', id, name), 'utf8'));
  }

  async #tree(id: string, number: number): Promise<Map<string, string>> {
    const read = async <T>(path: string): Promise<T> =>
      JSON.parse(await readFile(join(this.#directory, 'root', path), 'utf8'));
    const images = await read<readonly StoredImage[]>('overlay-images/images.json');
    const layers = await read<readonly StoredLayer[]>('overlay-layers/layers.json');
    const directories: string[] = [];
    let at = images.find((image) => image.id === id)?.layer;
    while (at !== undefined && at !== '') {
      directories.push(join(this.#directory, 'root/overlay', at, 'diff'));
      at = layers.find((layer) => layer.id === at)?.parent;
    }
    // Overlayfs wants two directories at least.
    directories.push(join(this.#directory, 'empty'));
    const target = join(this.#directory, `mount-${number}`);
    await mkdir(target);
    await run('mount', ['-t', 'overlay', 'overlay', '-o', `ro,lowerdir=${directories.join(':')}`, target]);
    try {
      return await fileTree(target);
    } finally {
      await run('umount', [target]);
    }
  }
}
