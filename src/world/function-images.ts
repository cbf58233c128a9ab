import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { ServiceError } from '../base/errors.ts';
import type { ImageRoot, ImageRoots } from '../functions/index.ts';
import type { Images, RegistryAuth, Root } from '../images/index.ts';
import type { FunctionImages } from '../services/lambda/index.ts';
import type { Once } from './once.ts';

/** Under this name functions hold images, beside containers. */
const HOLDER = 'lambda';
const ROOT_PREFIX = 'function-';

/** Places at which a sandbox shows something of its own; an image need not have them. */
const PLACES = ['proc', 'dev', 'tmp', 'run', 'run/kobune', 'run/kobune-shell', 'etc', 'etc/kobune'];
const FILES = ['etc/hosts', 'etc/resolv.conf'];

/** Lambda's way to images. `auth`: in whose name our own registry is asked. */
export function functionImages(
  images: Once<Images>,
  auth: (uri: string, account: string, region: string) => Promise<RegistryAuth | undefined>,
): FunctionImages {
  return {
    resolve: async (uri, { account, region }) => {
      const given = await auth(uri, account, region);
      const { digests, id } = await (await images()).pull(uri, given === undefined ? {} : { auth: given });
      const repository = uri.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
      const resolvedUri = digests.find((name) => name.startsWith(`${repository}@`)) ?? digests[0];
      if (resolvedUri === undefined) {
        throw new ServiceError('ImageNotFound', `${uri} has no digest: push it to a registry`, { status: 404 });
      }
      return { id, digest: resolvedUri.slice(resolvedUri.indexOf('@') + 1), resolvedUri };
    },
    hold: async (id) => (await images()).hold(id, HOLDER),
    letGo: async (id) => (await images()).letGo(id, HOLDER),
  };
}

export interface FunctionRoots extends ImageRoots {
  /** Unmounts them; no sandbox may use one any more. */
  close(): Promise<void>;
}

/** File systems of images for functions: one for each image, mounted when the first environment needs it. */
export function functionRoots(images: Once<Images>): FunctionRoots {
  const open = new Map<string, Promise<{ readonly root: Root; readonly shown: ImageRoot }>>();
  let swept: Promise<void> | undefined;
  return {
    open: async (imageId) => {
      swept ??= sweep(await images());
      await swept;
      let made = open.get(imageId);
      if (!made) {
        made = mount(await images(), imageId);
        open.set(imageId, made);
        made.catch(() => open.delete(imageId));
      }
      return (await made).shown;
    },
    close: async () => {
      for (const made of open.values()) await (await made.catch(() => undefined))?.root.remove();
      open.clear();
    },
  };
}

/** What a killed run has left mounted. */
async function sweep({ roots }: Images): Promise<void> {
  for (const id of await roots.list()) if (id.startsWith(ROOT_PREFIX)) await (await roots.open(id))?.remove();
}

async function mount(images: Images, imageId: string): Promise<{ root: Root; shown: ImageRoot }> {
  const { config, layers } = await images.get(imageId);
  const root = await images.roots.create(
    `${ROOT_PREFIX}${imageId.slice(imageId.indexOf(':') + 1).slice(0, 24)}`,
    layers,
  );
  try {
    await images.roots.writeArchive(root, '/', places());
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
function places(): AsyncIterable<Uint8Array> {
  const archive = pack();
  for (const name of PLACES) archive.entry({ name, type: 'directory', mode: 0o755, mtime: new Date(0) });
  for (const name of FILES) archive.entry({ name, mode: 0o644, mtime: new Date(0) }, '');
  archive.finalize();
  return Readable.from(archive as AsyncIterable<Uint8Array>);
}
