import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ServiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ImageRoot, ImageRoots } from '../functions/index.ts';
import type { Descriptor, Images, Platform, RegistryAuth, Root } from '../images/index.ts';
import type { FunctionImages, ImageName, ImageUse } from '../services/lambda/index.ts';
import type { Store } from '../store/index.ts';
import { type Once, once } from './once.ts';

/** Under this name functions hold images, beside containers. */
const HOLDER = 'lambda';
const ROOT_PREFIX = 'function-';

/** Whether `path` is in the file system of a function that is mounted for the Kobune whose files are in `directory`. */
export function isFunctionRoot(directory: string, path: string): boolean {
  return path.startsWith(join(directory, 'images', 'roots', ROOT_PREFIX));
}

/** Places at which a sandbox shows something of its own; an image need not have them. */
const PLACES = ['proc', 'dev', 'tmp', 'run', 'run/kobune', 'run/kobune-shell', 'etc', 'etc/kobune'];
const FILES = ['etc/hosts', 'etc/resolv.conf'];

/** Lambda's way to images. `access`: by what our own registry is read for a function; throws when it may not be. */
export function functionImages(
  { store, images, roots }: { readonly store: Store; readonly images: Once<Images>; readonly roots: FunctionRoots },
  access: (image: ImageName, use: ImageUse) => Promise<RegistryAuth | undefined>,
): FunctionImages {
  return {
    resolve: async (name, use) => {
      const given = await access(name, use);
      const auth = given === undefined ? {} : { auth: given };
      const all = await images();
      const { descriptor, platforms } = await all.inspectRemote(name.reference, auth);
      await checkPlatforms(descriptor, platforms);
      const { digest } = descriptor;
      // By digest and without a name: what a user calls his images is his own business.
      const { id, size } = await all.pull(`${name.repository}@${digest}`, { ...auth, holder: HOLDER });
      return { id, digest, size };
    },
    hold: async (id) => (await images()).hold(id, HOLDER),
    letGo: async (id) => {
      const all = await images();
      await all.letGo(id, HOLDER);
      await roots.forget(id);
      await removeUnnamed(all, id);
    },
    held: async () => {
      // Images are not loaded to find that there is none.
      const any = await store.range({ prefix: ['images', 'holder'], limit: 1 });
      return any.length > 0 ? (await images()).heldBy(HOLDER) : [];
    },
  };
}

/** Whether images are held for functions: also those of functions whose state was reset, which nobody else lets go. */
export async function holdsImages(store: Store): Promise<boolean> {
  const holders = await store.range({ prefix: ['images', 'holder'] });
  return holders.some(({ key }) => key[3] === HOLDER);
}

/** Source: Lambda Developer Guide, "Create a Lambda function using a container image", requirements. */
async function checkPlatforms({ mediaType }: Descriptor, platforms: readonly Platform[]): Promise<void> {
  const { hostPlatform, MEDIA_TYPES, normalized } = await import('../images/index.ts');
  const indexes: readonly string[] = [MEDIA_TYPES.ociIndex, MEDIA_TYPES.dockerList];
  if (indexes.includes(mediaType)) {
    throw new ServiceError(
      'MultiPlatformImage',
      'Lambda takes images of one platform: push one without an index, with "docker buildx build --provenance=false"',
    );
  }
  const here = hostPlatform();
  for (const { os, architecture } of platforms.map(normalized)) {
    if (architecture === '' || (os === here.os && architecture === here.architecture)) continue;
    throw new ServiceError(
      'WrongPlatform',
      `it is for ${os}/${architecture}, and this machine is ${here.os}/${here.architecture}`,
    );
  }
}

/** What was pulled for a function and has no name is of no use to anybody else. */
async function removeUnnamed(images: Images, id: string): Promise<void> {
  const image = await images.find(id);
  if (!image || image.tags.length + image.digests.length > 0) return;
  await images.remove(id).catch((error: unknown) => {
    // A container is made of it, or another image upon it, or it has just gone.
    if (!(error instanceof ServiceError) || (error.status !== 409 && error.status !== 404)) throw error;
  });
}

export interface FunctionRoots extends ImageRoots {
  /** Unmounts an image's file system, as soon as no environment uses it. */
  forget(imageId: string): Promise<void>;
  /** Removes what a killed run has left mounted. */
  start(): Promise<void>;
  /** Unmounts them; no sandbox may use one any more. */
  close(): Promise<void>;
}

interface Mounted {
  readonly root: Root;
  readonly shown: Omit<ImageRoot, 'release'>;
}

/** File systems of images for functions: one for each image, mounted when the first environment needs it. */
export function functionRoots({
  store,
  images,
  logger,
}: {
  readonly store: Store;
  readonly images: Once<Images>;
  readonly logger: Logger;
}): FunctionRoots {
  const mounts = new Map<string, { readonly made: Promise<Mounted>; users: number; unwanted: boolean }>();
  const swept = once(async () => sweep(await images(), logger));
  const unmount = async (imageId: string): Promise<void> => {
    const mount = mounts.get(imageId);
    if (!mount || mount.users > 0) return;
    mounts.delete(imageId);
    await (await mount.made.catch(() => undefined))?.root.remove();
  };
  return {
    open: async (imageId) => {
      await swept();
      let mount = mounts.get(imageId);
      if (!mount) {
        const made = images().then((all) => mountImage(all, imageId));
        mount = { made, users: 0, unwanted: false };
        mounts.set(imageId, mount);
        made.catch(() => mounts.delete(imageId));
      }
      const entry = mount;
      entry.unwanted = false;
      entry.users += 1;
      let released = false;
      const release = () => {
        if (released) return;
        released = true;
        entry.users -= 1;
        if (!entry.unwanted) return;
        unmount(imageId).catch((error: unknown) => {
          logger.warn('the file system of an image cannot be unmounted', { image: imageId, error: String(error) });
        });
      };
      try {
        return { ...(await entry.made).shown, release };
      } catch (error) {
        release();
        throw error;
      }
    },
    forget: async (imageId) => {
      const mount = mounts.get(imageId);
      if (!mount) return;
      mount.unwanted = true;
      await unmount(imageId);
    },
    start: async () => {
      const [from, before] = [ROOT_PREFIX, `${ROOT_PREFIX}\u{10ffff}`].map((id) => ['images', 'root', id]);
      const left = await store.range({ prefix: ['images', 'root'], from, before, limit: 1 });
      if (left.length > 0) await swept();
    },
    close: async () => {
      const all = [...mounts.values()];
      mounts.clear();
      const removals = all.map(async ({ made }) => (await made.catch(() => undefined))?.root.remove());
      const failed = (await Promise.allSettled(removals)).find(({ status }) => status === 'rejected');
      if (failed) throw (failed as PromiseRejectedResult).reason;
    },
  };
}

async function sweep({ roots }: Images, logger: Logger): Promise<void> {
  for (const id of await roots.list()) {
    if (!id.startsWith(ROOT_PREFIX)) continue;
    try {
      await (await roots.open(id))?.remove();
    } catch (error) {
      logger.warn('the file system of an image was left mounted', { root: id, error: String(error) });
    }
  }
}

async function mountImage(images: Images, imageId: string): Promise<Mounted> {
  const image = await images.find(imageId);
  if (!image) {
    throw new ServiceError(
      'ServiceException',
      "The function's image is not on this machine any more: deploy it again.",
      {
        status: 500,
        detail: imageId,
      },
    );
  }
  const { config, layers } = image;
  const root = await images.roots.create(
    `${ROOT_PREFIX}${imageId.slice(imageId.indexOf(':') + 1).slice(0, 24)}`,
    layers,
  );
  try {
    await images.roots.writeArchive(root, '/', await places());
  } catch (error) {
    await root.remove();
    throw error;
  }
  const { Cmd, Entrypoint, Env, WorkingDir } = config.config ?? {};
  return {
    root,
    shown: {
      directory: root.path,
      entryPoint: Entrypoint ?? [],
      command: Cmd ?? [],
      workingDirectory: WorkingDir || '/',
      environment: Env ?? [],
    },
  };
}

/** As an archive: it is unpacked where no link of the image leads out of it. */
async function places(): Promise<AsyncIterable<Uint8Array>> {
  const { pack } = await import('tar-stream');
  const archive = pack();
  for (const name of PLACES) archive.entry({ name, type: 'directory', mode: 0o755, mtime: new Date(0) });
  for (const name of FILES) archive.entry({ name, mode: 0o644, mtime: new Date(0) }, '');
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Uint8Array>);
}
