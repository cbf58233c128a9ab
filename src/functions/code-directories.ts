import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { FunctionSpec } from './engine.ts';

/**
 * The one directory that is shown at `/opt`: the layer itself, or, for several, a merged copy made once for that list of
 * layers. A file of a later layer wins. Source: Lambda Developer Guide, "Managing Lambda dependencies with layers".
 */
export class OptDirectories {
  readonly #directory: string;
  readonly #merging = new Map<string, Promise<string>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async for(spec: FunctionSpec): Promise<string | undefined> {
    const [first, ...others] = spec.layers;
    if (!first) return undefined;
    if (others.length === 0) return first.directory;
    const key = createHash('sha256')
      .update(spec.layers.map((layer) => `${layer.digest}\0${layer.directory}`).join('\0'))
      .digest('hex');
    let merging = this.#merging.get(key);
    if (!merging) {
      merging = this.#merge(key, spec);
      this.#merging.set(key, merging);
      merging.catch(() => this.#merging.delete(key));
    }
    return merging;
  }

  async #merge(key: string, spec: FunctionSpec): Promise<string> {
    const target = join(this.#directory, key);
    if (
      await stat(target).then(
        () => true,
        () => false,
      )
    )
      return target;
    const scratch = `${target}.${process.pid}`;
    await rm(scratch, { recursive: true, force: true });
    await mkdir(scratch, { recursive: true, mode: 0o755 });
    for (const layer of spec.layers) {
      await cp(layer.directory, scratch, { recursive: true, force: true, verbatimSymlinks: true });
    }
    await rename(scratch, target);
    return target;
  }
}

/** True when code or layers bring shared libraries: the dynamic loader must know their directory from the start. */
export function bringsLibraries(spec: FunctionSpec): boolean {
  return [spec.code, ...spec.layers].some((location) => {
    try {
      return readdirSync(join(location.directory, 'lib')).some((name) => /\.so(\.|$)/.test(name));
    } catch {
      return false;
    }
  });
}

/** True when a layer brings external extensions. */
export function bringsExtensions(spec: FunctionSpec): boolean {
  return spec.layers.some((layer) => existsSync(join(layer.directory, 'extensions')));
}
