import { identity, isScalar, type LeafPattern, type Scalar } from './leaf-pattern.ts';

/** Where a field is. Each of its parts is a name, or several are one with dots in it. */
interface Path {
  /** For each part, the names that may begin with it: it alone, with the next one, and so on. */
  readonly names: readonly (readonly string[])[];
  /** Parts of it. */
  readonly length: number;
}

/** A field that a branch asks for. */
interface Step extends Path {
  readonly leaf: LeafPattern;
  /** Elements of arrays this many parts down, or fewer, hold the next field too. */
  readonly shared: number;
}

/** A value within an event and the elements of arrays in which it lies. */
interface Place {
  readonly value: unknown;
  /** Parts of paths that lead to it. */
  readonly depth: number;
  /** Where the array lies; `undefined` for the event itself. */
  readonly parent: Place | undefined;
}

/** Arrays within arrays are followed this deep. */
const MAX_NESTING = 1000;

/**
 * Fields that must all match, by their paths. What is asked of the elements of an array is asked of one and the same element.
 *
 * Fields are looked at in the order of their paths. The first one that is found in an array settles the element; a field that
 * must not be there is looked for in what has been settled until then. A name with a dot is the same as two names. That is how
 * AWS's own matcher, Event Ruler, goes about it. Source: its README, "JSON Array Matching"; EventBridge User Guide,
 * "Considerations when creating event patterns".
 *
 * Known difference: once a field has been found in an element of an array, a field of the same beginning is looked for in that
 * element only, and not also beside the array under a name with dots. Event Ruler would see both.
 */
export class Branch {
  readonly #steps: readonly Step[];
  readonly exactFields: readonly ExactField[];

  constructor(fields: ReadonlyMap<string, LeafPattern>) {
    const sorted = [...fields].sort(([one], [other]) => (one < other ? -1 : 1));
    const parts = sorted.map(([path]) => path.split('.'));
    this.#steps = sorted.map(([path, leaf], index) => {
      return { ...pathOf(path), leaf, shared: sharedDepth(parts[index]!, parts[index + 1]) };
    });
    this.exactFields = sorted.flatMap(([path, { exact }]) =>
      exact === undefined ? [] : [new ExactField(path, exact)],
    );
  }

  matches(event: unknown): boolean {
    let places: readonly Place[] = [{ value: event, depth: 0, parent: undefined }];
    for (const step of this.#steps) {
      places = follow(places, step);
      if (places.length === 0) return false;
    }
    return true;
  }
}

/** A field that must have one of some values: by it, many branches are looked up at once. */
export class ExactField {
  readonly path: string;
  /** As `identity` gives them. */
  readonly values: readonly Scalar[];
  readonly #path: Path;

  constructor(path: string, values: readonly Scalar[]) {
    this.path = path;
    this.values = values;
    this.#path = pathOf(path);
  }

  /** Tells each value that an event has there, in arrays too. */
  find(event: unknown, found: (value: Scalar) => void): void {
    visit({ value: event, depth: 0, parent: undefined }, this.#path, (value) => found(identity(value)));
  }
}

/** The places at which a step's field matches, as the next step sees them. */
function follow(places: readonly Place[], step: Step): Place[] {
  const { leaf, shared } = step;
  const next: Place[] = [];
  const seen = new Set<unknown>();
  const keep = (place: Place): void => {
    let kept = place;
    while (kept.parent && kept.depth > shared) kept = kept.parent;
    if (seen.has(kept.value)) return;
    seen.add(kept.value);
    next.push(kept);
  };
  for (const place of places) {
    let absent = true;
    visit(place, step, (value, at) => {
      absent = false;
      if (leaf.present || leaf.tests.some((test) => test(value))) keep(at);
    });
    if (absent && leaf.absent) keep(place);
  }
  return next;
}

/** Tells each value at the step's path that lies within the place. */
function visit(place: Place, path: Path, found: (value: Scalar, at: Place) => void): void {
  walk(place.value, place.depth, place, path, found, 0);
}

function walk(
  value: unknown,
  from: number,
  at: Place,
  path: Path,
  found: (value: Scalar, at: Place) => void,
  nesting: number,
): void {
  if (typeof value !== 'object' || value === null) {
    if (from === path.length && isScalar(value)) found(value, at);
    return;
  }
  if (Array.isArray(value)) {
    if (nesting === MAX_NESTING) return;
    for (const element of value as readonly unknown[]) {
      const settles = typeof element === 'object' && element !== null;
      walk(element, from, settles ? { value: element, depth: from, parent: at } : at, path, found, nesting + 1);
    }
    return;
  }
  const names = path.names[from] ?? [];
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!;
    if (!Object.hasOwn(value, name)) continue;
    walk((value as Readonly<Record<string, unknown>>)[name], from + index + 1, at, path, found, nesting);
  }
}

function pathOf(text: string): Path {
  const ends = [...text.matchAll(/\.|$/g)].map(({ index }) => index);
  const names = ends.map((_, from) => {
    const start = from === 0 ? 0 : ends[from - 1]! + 1;
    return ends.slice(from).map((end) => text.slice(start, end));
  });
  return { names, length: ends.length };
}

/** How deep an array may lie that holds both fields: some of its parts are the same, and the next one's path goes on. */
function sharedDepth(path: readonly string[], next: readonly string[] | undefined): number {
  if (!next) return 0;
  let same = 0;
  while (same < path.length && same < next.length - 1 && path[same] === next[same]) same += 1;
  return same;
}
