import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** Layers from the top down: a room may import rooms of its own layer (through their index) and of those below. */
const LAYERS: readonly (readonly string[])[] = [
  ['world'],
  ['cli', 'gateway', 'aws', 'docker', 'registry', 'kubernetes', 'pipelines'],
  ['services', 'controllers', 'node'],
  ['events', 'insights'],
  ['functions', 'containers', 'images', 'network'],
  ['store'],
  ['base'],
];

/** These parts of the command line start the program, so they import what wires it. */
const STARTERS = new Set(['src/cli/server.ts', 'src/cli/start.ts']);
/** Names that say nothing of what is inside. */
const EMPTY_NAMES = /^(utils?|helpers?|common|misc|core|lib|shared|stuff)$/;
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|\brequire\s*\(\s*)(['"])(\.{1,2}\/[^'"]+)\1/g;
/** Types are gone when the program runs. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\s)(?:[^'"();]*?\sfrom\s*)?['"]([^'"]+)['"]/gm;

/** What is wrong with the way these files import each other; empty when nothing is. */
export function importViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    relativeImports(file).flatMap((target) => {
      const problem = judge(file.path, target);
      return problem === undefined ? [] : [`${file.path} imports ${target}: ${problem}`];
    }),
  );
}

/** Folders whose names say nothing. */
export function emptyNames(paths: readonly string[]): string[] {
  const folders = new Set(
    paths.flatMap((path) =>
      posix
        .dirname(path)
        .split('/')
        .map((_part, index, parts) => parts.slice(0, index + 1).join('/')),
    ),
  );
  return [...folders].filter((folder) => EMPTY_NAMES.test(posix.basename(folder)));
}

/** Cycles between rooms of the same layer, each as `a → b → a`. */
export function roomCycles(files: readonly SourceFile[]): string[] {
  const edges = new Map<string, Set<string>>();
  for (const file of files) {
    const from = roomOf(file.path);
    const isTest = file.path.endsWith('.test.ts') || file.path.includes('/testing/');
    if (from === undefined || isTest || STARTERS.has(file.path)) continue;
    for (const target of relativeImports(file)) {
      const to = roomOf(target);
      if (to !== undefined && to !== from) edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  const cycles: string[] = [];
  const visit = (room: string, path: readonly string[]): void => {
    const at = path.indexOf(room);
    if (at === 0) cycles.push([...path, room].join(' → '));
    if (at >= 0) return;
    for (const next of edges.get(room) ?? []) visit(next, [...path, room]);
  };
  for (const room of edges.keys()) visit(room, []);
  return cycles;
}

/** What is loaded together with the file `entry`: files, and the names of packages. */
export function loadedWith(entry: string, files: readonly SourceFile[]): ReadonlySet<string> {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const loaded = new Set([entry]);
  for (const path of loaded) {
    for (const [, target] of withoutComments(texts.get(path) ?? '').matchAll(STATIC_IMPORT)) {
      if (target!.startsWith('.')) loaded.add(posix.normalize(posix.join(posix.dirname(path), target!)));
      else if (!target!.startsWith('node:')) loaded.add(target!);
    }
  }
  return loaded;
}

function relativeImports({ path, text }: SourceFile): string[] {
  return [...withoutComments(text).matchAll(IMPORT)].map(([, , target]) =>
    posix.normalize(posix.join(posix.dirname(path), target!)),
  );
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function judge(from: string, to: string): string | undefined {
  if (!to.startsWith('src/')) {
    const allowed =
      !from.startsWith('src/') || to === 'package.json' || (STARTERS.has(from) && to.startsWith('examples/'));
    return allowed ? undefined : 'it is not source';
  }
  if (!from.startsWith('src/')) return undefined;
  const [fromRoom, toRoom] = [roomOf(from), roomOf(to)];
  if (toRoom === undefined)
    return STARTERS.has(from) || from.endsWith('.test.ts')
      ? undefined
      : 'only what starts Kobune may import its wiring';
  if (fromRoom === undefined || fromRoom === toRoom) return serviceProblem(from, to);
  const isTest = from.endsWith('.test.ts') || from.includes('/testing/');
  if (heightOf(toRoom) > heightOf(fromRoom) && !isTest) return `${toRoom} is above ${fromRoom}`;
  if (toRoom === 'base' || posix.basename(to) === 'index.ts' || isTest) return undefined;
  return toRoom === 'services' && /^src\/services\/[^/]+\.ts$/.test(to)
    ? undefined
    : `another room is imported through its index.ts`;
}

/** Services do not know each other: what one needs of another is an interface that main.ts connects. */
function serviceProblem(from: string, to: string): string | undefined {
  const [mine, other] = [serviceOf(from), serviceOf(to)];
  if (mine === undefined || other === undefined || mine === other || from.endsWith('.test.ts')) return undefined;
  return `services/${mine} may not know services/${other}`;
}

function roomOf(path: string): string | undefined {
  const [, room] = /^src\/([^/]+)\//.exec(path) ?? [];
  return room;
}

function serviceOf(path: string): string | undefined {
  const [, service] = /^src\/services\/([^/]+)\//.exec(path) ?? [];
  return service;
}

function heightOf(room: string): number {
  const depth = LAYERS.findIndex((rooms) => rooms.includes(room));
  if (depth < 0) throw new Error(`src/${room} is in no layer: add it to LAYERS`);
  return LAYERS.length - depth;
}
