import { ComposeFileError, type Place } from '../file/place.ts';
import type { MergeTag, Tree } from '../file/yaml-tree.ts';
import { type ComposeFile, composeFile } from '../model/compose-file.ts';
import { Cursor, type Path } from '../model/member.ts';

/** Something that the user should know, with the place in the file that it is about. */
export interface Warning {
  readonly message: string;
  readonly place?: Place;
}

/** Where members stand; what has no place of its own has its parent's. */
export class Places {
  readonly #places = new Map<string, Place>();

  set(path: Path, place: Place): void {
    this.#places.set(JSON.stringify(path), place);
  }

  at(path: Path): Place | undefined {
    for (let length = path.length; length > 0; length -= 1) {
      const place = this.#places.get(JSON.stringify(path.slice(0, length)));
      if (place !== undefined) return place;
    }
    return undefined;
  }

  /** Takes over what the other knows; the other wins. */
  add(other: Places): void {
    for (const [path, place] of other.#places) this.#places.set(path, place);
  }

  /** Takes over what is below `from`, as if it stood below `to`, where nothing is known yet. */
  adopt(other: Places, from: Path, to: Path): void {
    for (const [key, place] of other.#places) {
      const path = JSON.parse(key) as (string | number)[];
      if (!from.every((part, index) => path[index] === part)) continue;
      const here = JSON.stringify([...to, ...path.slice(from.length)]);
      if (!this.#places.has(here)) this.#places.set(here, place);
    }
  }
}

/** One document of a Compose file, read on its own. */
export interface Layer {
  readonly model: ComposeFile;
  readonly tags: readonly { readonly tag: MergeTag; readonly path: Path }[];
  readonly places: Places;
}

/** Reads a document whose variables have been replaced. Throws a `ComposeFileError` that names the member and its line. */
export function readLayer(
  tree: Tree,
  options: { readonly directory: string; readonly home: string; readonly warn: (warning: Warning) => void },
): Layer {
  const places = new Places();
  const tags: { tag: MergeTag; path: Path }[] = [];
  if (tree.kind !== 'map') throw new ComposeFileError('a Compose file is a map of members', { place: tree.place });
  const cursor = new Cursor(tree, [], {
    directory: options.directory,
    home: options.home,
    warn: (message, place) => options.warn({ message, place }),
    tagged: (tag, path) => tags.push({ tag, path }),
    found: (path, place) => places.set(path, place),
  });
  return { model: composeFile.read(cursor), tags, places };
}

/** The model with a later file's on top: what that resets or overrides goes first, then the two are merged. */
export function mergeLayer(base: ComposeFile, layer: Pick<Layer, 'model' | 'tags'>): ComposeFile {
  const cleared = layer.tags.reduce((model, { path }) => without(model, path), base);
  return composeFile.merge(cleared, layer.model);
}

/** A value of the model without the member at `path`. */
export function without<T>(value: T, path: Path): T {
  const [key, ...rest] = path;
  if (key === undefined || value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  if (value instanceof Map) {
    if (!value.has(key)) return value;
    const result = new Map(value);
    if (rest.length === 0) result.delete(key);
    else result.set(key, without(value.get(key), rest));
    return result as T;
  }
  if (!Object.hasOwn(value, key)) return value;
  const { [key]: member, ...others } = value as Record<string | number, unknown>;
  return (rest.length === 0 ? others : { ...value, [key]: without(member, rest) }) as T;
}
