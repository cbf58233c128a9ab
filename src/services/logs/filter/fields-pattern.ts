import { parseComparison, parseOperator, type ValueTest } from './comparison.ts';
import type { FilterPattern } from './index.ts';
import { Scanner } from './scanner.ts';

interface Field {
  /** `undefined` for the ellipsis. */
  readonly name: string | undefined;
  readonly test: ValueTest | undefined;
}

/**
 * `[ip, user, ..., status = 4*, bytes > 1000]` on log events whose fields are separated by spaces; text in quotation marks or
 * square brackets is one field. User Guide, "Match terms in space-delimited log events".
 */
export function parseFieldsPattern(text: string): FilterPattern {
  const scanner = new Scanner(text);
  scanner.expect('[');
  const fields: Field[] = [];
  do fields.push(parseField(scanner));
  while (scanner.accept(','));
  scanner.expect(']');
  scanner.skipSpace();
  if (!scanner.ended) throw scanner.error("nothing may follow the closing ']'");
  const ellipsis = fields.findIndex(({ name }) => name === undefined);
  if (fields.findLastIndex(({ name }) => name === undefined) !== ellipsis) {
    throw scanner.error("'...' may stand only once");
  }
  return {
    matches: (message) => {
      const values = splitFields(message);
      return align(fields, ellipsis, values)?.every(({ field, value }) => field.test?.(value) ?? true) ?? false;
    },
    extract: (message) => {
      const values = splitFields(message);
      const named = new Map(align(fields, ellipsis, values)?.map(({ field, index }) => [index, field.name]));
      return Object.fromEntries(values.map((value, index) => [`$${named.get(index) ?? index + 1}`, value]));
    },
  };
}

function parseField(scanner: Scanner): Field {
  if (scanner.accept('...')) return { name: undefined, test: undefined };
  const names = new Set<string>();
  const test = parseOr(scanner, names, 0);
  const [name] = names;
  if (names.size > 1) throw scanner.error('a field has two names');
  return { name: name!, test };
}

function parseOr(scanner: Scanner, names: Set<string>, depth: number): ValueTest | undefined {
  const tests = [parseAnd(scanner, names, depth)];
  while (scanner.accept('||')) tests.push(parseAnd(scanner, names, depth));
  if (tests.length === 1) return tests[0];
  return (value) => tests.some((test) => test?.(value) ?? true);
}

function parseAnd(scanner: Scanner, names: Set<string>, depth: number): ValueTest | undefined {
  const tests = [parseOne(scanner, names, depth)];
  while (scanner.accept('&&')) tests.push(parseOne(scanner, names, depth));
  if (tests.length === 1) return tests[0];
  return (value) => tests.every((test) => test?.(value) ?? true);
}

function parseOne(scanner: Scanner, names: Set<string>, depth: number): ValueTest | undefined {
  if (depth > 100) throw scanner.error('parentheses are nested too deep');
  if (scanner.accept('(')) {
    const test = parseOr(scanner, names, depth + 1);
    scanner.expect(')');
    return test;
  }
  scanner.skipSpace();
  const name = scanner.run(/[\w.$@#-]/);
  if (name === '') throw scanner.error('a field name is missing');
  names.add(name);
  scanner.skipSpace();
  if (!/[=!<>]/.test(scanner.peek())) return undefined;
  return parseComparison(scanner, parseOperator(scanner), /[^\s()&|,\]"%]/);
}

/** Which value belongs to which field; `undefined` when there are too few or too many. */
function align(
  fields: readonly Field[],
  ellipsis: number,
  values: readonly string[],
): { field: Field; value: string; index: number }[] | undefined {
  if (ellipsis < 0) {
    if (values.length !== fields.length) return undefined;
    return fields.map((field, index) => ({ field, value: values[index]!, index }));
  }
  if (values.length < fields.length - 1) return undefined;
  const shift = values.length - fields.length;
  return fields.flatMap((field, position) => {
    if (position === ellipsis) return [];
    const index = position < ellipsis ? position : position + shift;
    return [{ field, value: values[index]!, index }];
  });
}

/** Splits at spaces; what stands in quotation marks or square brackets stays together, without them. */
export function splitFields(message: string): string[] {
  const fields: string[] = [];
  let position = 0;
  // A delimiter that is not closed once is not closed later either: looking again and again would take quadratic time.
  const unclosed = new Set<string>();
  while (position < message.length) {
    const character = message[position]!;
    if (/\s/.test(character)) {
      position++;
      continue;
    }
    const close = character === '"' ? '"' : character === '[' ? ']' : undefined;
    const end = close === undefined || unclosed.has(close) ? -1 : message.indexOf(close, position + 1);
    if (end >= 0) {
      fields.push(message.slice(position + 1, end));
      position = end + 1;
      continue;
    }
    if (close !== undefined) unclosed.add(close);
    const start = position;
    while (position < message.length && !/\s/.test(message[position]!)) position++;
    fields.push(message.slice(start, position));
  }
  return fields;
}
