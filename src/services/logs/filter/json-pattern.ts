import { parseComparison, parseOperator } from './comparison.ts';
import type { FilterPattern } from './index.ts';
import { Scanner } from './scanner.ts';

type Test = (event: unknown) => boolean;
/** A property name, an array index, or any of either. */
type Step = string | number | typeof ANY;
const ANY = Symbol('any');

const MAX_DEPTH = 100;

/**
 * `{ $.selector operator value && … }` on log events that are JSON. A comparison with a property that is not there
 * is false; `IS NULL`, `IS TRUE`, `IS FALSE` and `NOT EXISTS` ask for just that. User Guide, "Match terms in JSON log events".
 */
export function parseJsonPattern(text: string): FilterPattern {
  const scanner = new Scanner(text);
  const selectors = new Map<string, readonly Step[]>();
  scanner.expect('{');
  const test = parseOr(scanner, selectors, 0);
  scanner.expect('}');
  scanner.skipSpace();
  if (!scanner.ended) throw scanner.error("nothing may follow the closing '}'");
  return {
    matches: (message) => {
      const event = parseEvent(message);
      return event !== undefined && test(event);
    },
    extract: (message) => {
      const event = parseEvent(message);
      const values: Record<string, string> = {};
      for (const [selector, steps] of selectors) {
        const [value] = select(event, steps);
        if (value !== undefined) values[selector] = typeof value === 'string' ? value : JSON.stringify(value);
      }
      return values;
    },
  };
}

function parseEvent(message: string): unknown {
  // Most lines are not JSON; a look at the first character is cheaper than an exception.
  const first = /\S/.exec(message)?.[0];
  if (first !== '{' && first !== '[') return undefined;
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}

type Selectors = Map<string, readonly Step[]>;

function parseOr(scanner: Scanner, selectors: Selectors, depth: number): Test {
  const tests = [parseAnd(scanner, selectors, depth)];
  while (scanner.accept('||')) tests.push(parseAnd(scanner, selectors, depth));
  return tests.length === 1 ? tests[0]! : (event) => tests.some((test) => test(event));
}

function parseAnd(scanner: Scanner, selectors: Selectors, depth: number): Test {
  const tests = [parseOne(scanner, selectors, depth)];
  while (scanner.accept('&&')) tests.push(parseOne(scanner, selectors, depth));
  return tests.length === 1 ? tests[0]! : (event) => tests.every((test) => test(event));
}

function parseOne(scanner: Scanner, selectors: Selectors, depth: number): Test {
  if (depth > MAX_DEPTH) throw scanner.error('parentheses are nested too deep');
  if (scanner.accept('(')) {
    const test = parseOr(scanner, selectors, depth + 1);
    scanner.expect(')');
    return test;
  }
  const { source, steps } = parseSelector(scanner);
  selectors.set(source, steps);
  if (scanner.acceptWord('IS')) {
    const expected = scanner.acceptWord('NULL')
      ? null
      : scanner.acceptWord('TRUE')
        ? true
        : scanner.acceptWord('FALSE')
          ? false
          : undefined;
    if (expected === undefined) throw scanner.error('expected NULL, TRUE or FALSE');
    return (event) => select(event, steps).includes(expected);
  }
  if (scanner.acceptWord('NOT')) {
    if (!scanner.acceptWord('EXISTS')) throw scanner.error('expected EXISTS');
    return (event) => select(event, steps).length === 0;
  }
  const operator = parseOperator(scanner);
  const test = parseComparison(scanner, operator, /[^\s()&|}{"%]/);
  return (event) => select(event, steps).some(test);
}

function parseSelector(scanner: Scanner): { source: string; steps: Step[] } {
  scanner.skipSpace();
  const start = scanner.position;
  if (!scanner.accept('$')) throw scanner.error("a selector starts with '$'");
  const steps: Step[] = [];
  for (;;) {
    if (scanner.peek() === '.') {
      scanner.position++;
      const name = scanner.peek() === '*' ? '' : scanner.run(/[^\s.[\]()=!<>&|{}"'*]/);
      if (name === '' && scanner.peek() !== '*') throw scanner.error('a property name is missing');
      if (name === '') scanner.position++;
      steps.push(name === '' ? ANY : name);
    } else if (scanner.peek() === '[') {
      scanner.position++;
      steps.push(parseIndex(scanner));
      if (scanner.peek() !== ']') throw scanner.error("expected ']'");
      scanner.position++;
    } else break;
  }
  if (steps.length === 0) throw scanner.error('a selector names no property');
  if (steps.filter((step) => step === ANY).length > 1) throw scanner.error('a selector has at most one wildcard');
  return { source: scanner.text.slice(start, scanner.position), steps };
}

function parseIndex(scanner: Scanner): Step {
  if (scanner.peek() === '*') {
    scanner.position++;
    return ANY;
  }
  if (scanner.peek() === '"') return scanner.quoted();
  if (scanner.peek() === "'") {
    scanner.position++;
    const name = scanner.run(/[^']/);
    scanner.position++;
    return name;
  }
  const digits = scanner.run(/\d/);
  if (digits === '') throw scanner.error('an array index is missing');
  return Number(digits);
}

/** The values that a selector finds: none, one, or with a wildcard many. */
function select(event: unknown, steps: readonly Step[]): unknown[] {
  let values: unknown[] = [event];
  for (const step of steps) {
    values = values.flatMap((value) => {
      if (value === null || typeof value !== 'object') return [];
      if (step === ANY) return Object.values(value);
      if (typeof step === 'number') return Array.isArray(value) && step < value.length ? [value[step]] : [];
      return Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]] : [];
    });
  }
  return values;
}
