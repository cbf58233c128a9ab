import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { type Ignore, pathPattern } from '../dockerfile/index.ts';
import type { SourceTree, TreeFile } from './source-tree.ts';

/** A file or directory that a source of COPY or ADD means. */
export interface Selection {
  readonly tree: SourceTree;
  /** What a file is called where it comes into a directory. */
  readonly name: string;
  readonly file: TreeFile;
  /** What of a directory is taken, by its path in the directory; each directory before what it holds. */
  readonly below: readonly { readonly path: string; readonly file: TreeFile }[];
}

export interface SelectOptions {
  /** `--parents`: directories above stay, below a `/./` in the path if there is one. */
  readonly parents: boolean;
  /** `--exclude`: paths within a directory, or a file's own name. */
  readonly exclude: Ignore | undefined;
}

/** A source that names nothing; `ignored`: it is there but `.dockerignore` leaves it out. */
export class SourceNotFoundError extends Error {
  constructor(path: string, tree: SourceTree) {
    const why = tree.ignores(path) ? ' (it is there, but .dockerignore leaves it out)' : '';
    super(`"${path}" is not found in ${tree.label}${why}`);
    this.name = 'SourceNotFoundError';
  }
}

/**
 * Finds what a source means: links on the way and at its end are followed within the tree, links below a directory are copied as
 * links. A pattern that matches nothing selects nothing; a path that is not there throws {@link SourceNotFoundError}.
 * Source: "COPY" of the Dockerfile reference; BuildKit copies this way.
 */
export async function select(tree: SourceTree, path: string, options: SelectOptions): Promise<Selection[]> {
  return options.parents ? await selectWithParents(tree, path, options) : await selectPlain(tree, path, options);
}

async function selectPlain(tree: SourceTree, path: string, { exclude }: SelectOptions): Promise<Selection[]> {
  const selections: Selection[] = [];
  for (const { name, file } of matchPath(tree, path)) {
    if (file.kind !== 'directory') {
      if (!exclude?.excludes(name)) selections.push({ tree, name, file, below: [] });
      continue;
    }
    selections.push({ tree, name, file, below: await walkBelow(tree, file, exclude, () => 'take') });
  }
  return selections;
}

async function selectWithParents(tree: SourceTree, path: string, { exclude }: SelectOptions): Promise<Selection[]> {
  const cut = path.indexOf('/./');
  const pivot = cut < 0 ? '/' : path.slice(0, cut);
  const inner = normalize(cut < 0 ? path : path.slice(cut + 3));
  const wild = isPattern(inner);
  if (!wild && !isPattern(pivot) && tree.find(posix.join(pivot, inner)) === undefined) {
    throw new SourceNotFoundError(path, tree);
  }
  const pattern = wild ? pathPattern(inner, { doubleStar: true }) : { matches: (at: string) => at === inner };
  const selections: Selection[] = [];
  for (const { name, file } of matchPath(tree, pivot)) {
    if (file.kind !== 'directory') continue;
    const matched = new Set<string>();
    const below = await walkBelow(tree, file, exclude, (at) => {
      if (!wild && !isWithin(at, inner) && !isWithin(inner, at)) return 'skip all';
      if (inner !== '' && !pattern.matches(at) && !ancestors(at).some((one) => matched.has(one))) return 'skip';
      matched.add(at);
      return 'take';
    });
    selections.push({ tree, name, file, below });
  }
  return selections;
}

/** What of a directory is taken, with the directories that lead to it, each before what it holds. */
async function walkBelow(
  tree: SourceTree,
  directory: TreeFile,
  exclude: Ignore | undefined,
  choose: (path: string) => 'take' | 'skip' | 'skip all',
): Promise<Selection['below']> {
  const prefix = directory.path === '' ? 0 : directory.path.length + 1;
  const directories = new Map<string, TreeFile>();
  const taken = new Map<string, TreeFile>();
  await tree.walk(directory, (file) => {
    const path = file.path.slice(prefix);
    if (file.kind === 'directory') directories.set(path, file);
    if (exclude?.excludes(path)) return exclude.prunes(path) ? 'leave' : 'enter';
    const choice = choose(path);
    if (choice === 'take') {
      const slash = path.lastIndexOf('/');
      if (slash > 0 && !taken.has(path.slice(0, slash))) {
        for (const above of ancestors(path)) if (!taken.has(above)) taken.set(above, directories.get(above)!);
      }
      taken.set(path, file);
    }
    return choice === 'skip all' ? 'leave' : 'enter';
  });
  return Array.from(taken, ([path, file]) => ({ path, file }));
}

function isWithin(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`);
}

function ancestors(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** What a path or pattern means, each with the name by which it was found. */
function matchPath(tree: SourceTree, path: string): { name: string; file: TreeFile }[] {
  const parts = normalize(path)
    .split('/')
    .filter((part) => part !== '');
  if (!parts.some(isPattern)) {
    const file = tree.find(parts.map(unescapePart).join('/'));
    if (file === undefined) throw new SourceNotFoundError(path, tree);
    return [{ name: unescapePart(parts.at(-1) ?? ''), file }];
  }
  let matched = [''];
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1;
    const matcher = isPattern(part) ? pathPattern(part, { doubleStar: false }) : undefined;
    matched = matched.flatMap((at) => {
      if (matcher === undefined) return [posix.join(at, unescapePart(part))];
      const directory = tree.find(at);
      if (directory?.kind !== 'directory') return [];
      return tree
        .list(directory)
        .filter((file) => (last || file.kind !== 'file') && matcher.matches(posix.basename(file.path)))
        .map((file) => posix.join(at, posix.basename(file.path)));
    });
  }
  return matched.flatMap((at) => {
    // A link whose target is missing is taken as a link: the pattern did not ask for what it leads to.
    const file = tree.find(at) ?? tree.find(at, { follow: false });
    return file === undefined ? [] : [{ name: posix.basename(at), file }];
  });
}

/** Without `.`, `..` (which never leads above the root) and double slashes. */
function normalize(path: string): string {
  return posix.join('/', path).replace(/^\/+|\/+$/g, '');
}

/** Whether the path has a `*`, `?` or `[` that is not escaped. */
export function isPattern(path: string): boolean {
  return /(?<!\\)(?:\\\\)*[*?[]/.test(path);
}

function unescapePart(part: string): string {
  return part.replace(/\\(.)/g, '$1');
}

/** What was found of a source. */
export interface SelectionDigest {
  /** SHA-256 of names, kinds, modes, owners, extended attributes and contents; of no times. */
  readonly digest: string;
  /** The beginning of each file's own digest by path, so that a later build can tell which file has changed. */
  files(): ReadonlyMap<string, string>;
}

/** Entries that are summed up at a time. */
const GATHERED = 256;

/** Sums up what is copied. Sources: BuildKit and the reference's "file metadata" rule (times do not count). */
export async function digestSelections(selections: readonly Selection[]): Promise<SelectionDigest> {
  const sum = createHash('sha256');
  const known: (readonly [TreeFile, string])[] = [];
  for (const { tree, name, file, below } of selections) {
    const links = new Map<number, string>();
    const entries = [{ path: '', file }, ...below];
    // All reads are begun before the first is waited for.
    const digests = entries.map((entry) => (entry.file.kind === 'file' ? tree.digest(entry.file) : entry.file.target));
    for (const digest of digests) if (typeof digest !== 'string') digest.catch(() => undefined);
    let lines = file.kind === 'directory' ? 'directory\0' : `file\0${name}\0`;
    for (const [index, entry] of entries.entries()) {
      const digest = digests[index]!;
      const content = typeof digest === 'string' ? digest : await digest;
      const { kind, mode, uid, gid, stats } = entry.file;
      const same = kind === 'file' && stats.nlink > 1 ? hardLink(links, stats.ino, entry.path) : '';
      const device = kind === 'device' ? `${stats.rdev}:${stats.isBlockDevice()}` : '';
      const attributes = tree.attributes(entry.file);
      lines += `${entry.path}\0${kind}${attributes}\0${mode}\0${uid}\0${gid}\0${content}\0${same}\0${device}\0`;
      if (kind !== 'directory') known.push([entry.file, content]);
      if (index % GATHERED !== 0) continue;
      sum.update(lines);
      lines = '';
    }
    sum.update(lines);
  }
  const files = () =>
    new Map(known.map(([{ path, mode }, content]) => [path, `${content.slice(0, 16)}.${mode.toString(8)}`]));
  return { digest: sum.digest('hex'), files };
}

/** The files of several together. */
export function joinedFiles(all: readonly SelectionDigest['files'][]): SelectionDigest['files'] {
  return () => new Map(all.flatMap((files) => [...files()]));
}

function hardLink(links: Map<number, string>, inode: number, path: string): string {
  const first = links.get(inode);
  if (first === undefined) links.set(inode, path);
  return first ?? '';
}
