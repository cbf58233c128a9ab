import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { ComposeFileError, type Place } from './place.ts';
import { plainScalar, type ScalarValue } from './scalar.ts';

/** `!reset` clears what earlier files said, `!override` replaces it (https://docs.docker.com/reference/compose-file/merge/#reset-value). */
export type MergeTag = 'reset' | 'override';

interface Located {
  readonly place: Place;
  readonly tag?: MergeTag;
}

export interface ScalarTree extends Located {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
}

export interface ListTree extends Located {
  readonly kind: 'list';
  readonly items: readonly Tree[];
}

export interface MapTree extends Located {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, { readonly place: Place; readonly value: Tree }>;
}

/** A value of a YAML file with the line that it stands on; aliases and merge keys are resolved. */
export type Tree = ScalarTree | ListTree | MapTree;

/** Bytes of one file; aliases that multiply, and nesting, are limited so that a small file cannot fill the memory. */
const LARGEST_FILE = 4 * 1024 * 1024;
const MOST_VALUES = 100_000;
const DEEPEST = 64;
const TOO_DEEP = `nested deeper than ${DEEPEST} levels`;
const CORE_TAG = 'tag:yaml.org,2002:';

/**
 * The documents of a YAML file. Throws a `ComposeFileError` that names the line: syntax, a key given twice, an unknown tag,
 * an alias that leads to itself or makes too much of too little.
 */
export function readYaml(text: string, file: string): Tree[] {
  if (text.length > LARGEST_FILE) throw new ComposeFileError(`${file} is larger than ${LARGEST_FILE} bytes`);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, schema: 'failsafe', uniqueKeys: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) {
      // The parser calls itself for what is nested, until the stack ends.
      const isTooDeep = problem.message.startsWith('Maximum call stack');
      const [reason = 'not valid YAML'] = isTooDeep ? [TOO_DEEP] : problem.message.split('\n');
      throw new ComposeFileError(reason.replace(/ at line \d+, column \d+:?$/, ''), {
        place: { file, line: lines.linePos(problem.pos[0]).line },
      });
    }
    if (document.contents === null) return [];
    return [new TreeReader(document, lines, file).read(document.contents, 0)];
  });
}

class TreeReader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #open = new Set<ParsedNode>();
  #count = 0;

  constructor(document: Document.Parsed, lines: LineCounter, file: string) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
  }

  read(node: ParsedNode, depth: number): Tree {
    const place = this.#place(node);
    this.#count += 1;
    if (this.#count > MOST_VALUES) throw new ComposeFileError(`more than ${MOST_VALUES} values`, { place });
    if (depth > DEEPEST) throw new ComposeFileError(TOO_DEEP, { place });
    if (this.#open.has(node)) throw new ComposeFileError('an alias leads to itself', { place });
    this.#open.add(node);
    try {
      if (isAlias(node)) return this.read(this.#target(node, place), depth);
      if (isMap(node)) return this.#map(node as YAMLMap.Parsed, place, depth);
      if (isSeq(node)) return this.#list(node as YAMLSeq.Parsed, place, depth);
      return this.#scalar(node as Scalar.Parsed, place);
    } finally {
      this.#open.delete(node);
    }
  }

  #map(node: YAMLMap.Parsed, place: Place, depth: number): MapTree {
    const entries = new Map<string, { place: Place; value: Tree }>();
    const merged = new Map<string, { place: Place; value: Tree }>();
    for (const { key, value } of node.items) {
      const keyPlace = this.#place(key);
      if (isAlias(key) || !isScalar(key)) throw new ComposeFileError('a key must be text', { place: keyPlace });
      const name = String(key.value ?? '');
      if (name === '<<' && key.type === 'PLAIN') {
        this.#merge(value, keyPlace, merged, depth);
        continue;
      }
      entries.set(name, { place: keyPlace, value: this.#value(value, keyPlace, depth) });
    }
    for (const [name, entry] of merged) if (!entries.has(name)) entries.set(name, entry);
    return { kind: 'map', place, entries, ...this.#tagOf(node, ['map'], place) };
  }

  /** What `<<` names: keys of the map itself win over it, and earlier maps over later ones (https://yaml.org/type/merge.html). */
  #merge(
    value: ParsedNode | null,
    place: Place,
    into: Map<string, { place: Place; value: Tree }>,
    depth: number,
  ): void {
    const source = this.#value(value, place, depth);
    const maps = source.kind === 'list' ? source.items : [source];
    for (const map of maps) {
      if (map.kind !== 'map') throw new ComposeFileError('"<<" merges maps only', { place });
      for (const [name, entry] of map.entries) if (!into.has(name)) into.set(name, entry);
    }
  }

  #list(node: YAMLSeq.Parsed, place: Place, depth: number): ListTree {
    const items = node.items.map((item) => this.#value(item as ParsedNode | null, place, depth));
    return { kind: 'list', place, items, ...this.#tagOf(node, ['seq'], place) };
  }

  #value(node: ParsedNode | null, place: Place, depth: number): Tree {
    return node === null ? { kind: 'scalar', place, value: null } : this.read(node, depth + 1);
  }

  #scalar(node: Scalar.Parsed, place: Place): ScalarTree {
    const text = String(node.value ?? '');
    const { tag } = node;
    const mergeTag = this.#tagOf(node, ['str', 'null', 'bool', 'int', 'float'], place);
    const isText = tag === `${CORE_TAG}str` || (node.type !== 'PLAIN' && node.type !== undefined);
    return { kind: 'scalar', place, value: isText ? text : plainScalar(text), ...mergeTag };
  }

  #tagOf(node: { tag?: string }, allowed: readonly string[], place: Place): { tag?: MergeTag } {
    const { tag } = node;
    if (tag === undefined || tag === '!') return {};
    if (tag === '!reset' || tag === '!override') return { tag: tag === '!reset' ? 'reset' : 'override' };
    if (tag.startsWith(CORE_TAG) && allowed.includes(tag.slice(CORE_TAG.length))) return {};
    const shown = tag.startsWith(CORE_TAG) ? `!!${tag.slice(CORE_TAG.length)}` : tag;
    throw new ComposeFileError(`the tag ${shown} is not supported here`, {
      place,
      hint: 'Compose knows !reset and !override.',
    });
  }

  #target(alias: Alias, place: Place): ParsedNode {
    const target = alias.resolve(this.#document);
    if (target === undefined) throw new ComposeFileError(`there is no anchor &${alias.source}`, { place });
    return target as ParsedNode;
  }

  #place(node: ParsedNode): Place {
    return { file: this.#file, line: this.#lines.linePos(node.range[0]).line };
  }
}
