import type { Query } from '../server/query.ts';
import { invalid } from './shape.ts';

/** What a list is narrowed to: for each name the values of which one must fit. */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Whether there is no such filter, or one of its values fits. */
  some(name: string, fits: (value: string) => boolean): boolean {
    const values = this.#values.get(name);
    return values === undefined || values.length === 0 || values.some(fits);
  }

  /** Whether all values of this filter fit, as those of labels must. */
  every(name: string, fits: (value: string) => boolean): boolean {
    return this.get(name).every(fits);
  }

  /** A filter that says yes or no; `undefined` when it is not there. */
  flag(name: string): boolean | undefined {
    const values = this.#values.get(name);
    if (values === undefined || values.length === 0) return undefined;
    const read = values.map((value) => BOOLEANS.get(value.toLowerCase()));
    if (read.length > 1 || read[0] === undefined) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
    return read[0];
  }

  /** Labels that must be there (`label`) and must not (`label!`): `name` or `name=value`. */
  matchLabels(labels: Readonly<Record<string, string>>): boolean {
    const fits = (wanted: string) => {
      const [name, value] = splitOnce(wanted, '=');
      return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
    };
    return this.every('label', fits) && this.every('label!', (unwanted) => !fits(unwanted));
  }
}

const BOOLEANS = new Map([
  ['1', true],
  ['t', true],
  ['true', true],
  ['0', false],
  ['f', false],
  ['false', false],
]);

/**
 * Reads `filters`: `{"label":["a=b"]}`, or `{"label":{"a=b":true}}` as older clients write it. Refuses what is not in `known` with the
 * words of dockerd.
 */
export function readFilters(query: Query, known: readonly string[], parameter = 'filters'): Filters {
  const given = query.json(parameter) ?? {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw invalid('invalid filter');
  const values = new Map<string, readonly string[]>();
  for (const [name, entry] of Object.entries(given)) {
    const list = Array.isArray(entry)
      ? entry
      : isChoice(entry)
        ? Object.keys(entry).filter((key) => entry[key])
        : undefined;
    if (list === undefined || list.some((value) => typeof value !== 'string')) throw invalid('invalid filter');
    if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
    values.set(name, list as string[]);
  }
  return new Filters(values);
}

function isChoice(value: unknown): value is Record<string, boolean> {
  return typeof value === 'object' && value !== null && Object.values(value).every((part) => typeof part === 'boolean');
}

const LONGEST_PATTERN = 256;
const MOST_REPETITIONS = 4;

/**
 * A filter's pattern, matched anywhere in a name. Refuses those that could take for ever: repetitions of what repeats itself, and
 * more than a few of them.
 */
export function namePattern(pattern: string): (name: string) => boolean {
  const repetitions = pattern.match(/(?<!\\)[*+]|(?<!\\)\{\d*,/g)?.length ?? 0;
  if (pattern.length > LONGEST_PATTERN || repetitions > MOST_REPETITIONS || /\)[*+{]/.test(pattern)) {
    throw invalid(`invalid filter: ${JSON.stringify(pattern.slice(0, 80))} is too complex a pattern`);
  }
  let expression: RegExp;
  try {
    expression = new RegExp(pattern);
  } catch {
    return () => false;
  }
  return (name) => expression.test(name);
}

/** `a=b=c` → `a` and `b=c`. */
export function splitOnce(value: string, separator: string): [string, string | undefined] {
  const at = value.indexOf(separator);
  return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + separator.length)];
}
