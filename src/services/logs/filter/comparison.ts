import type { Scanner } from './scanner.ts';

export type Operator = '=' | '!=' | '>' | '<' | '>=' | '<=';

/** Tests one scalar of a log event. */
export type ValueTest = (value: unknown) => boolean;

/** `!=` before `=`, `>=` before `>`: the longest operator wins. */
const OPERATORS: readonly Operator[] = ['!=', '>=', '<=', '=', '>', '<'];
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

export function parseOperator(scanner: Scanner): Operator {
  const operator = OPERATORS.find((candidate) => scanner.accept(candidate));
  if (!operator) throw scanner.error('a comparison operator is missing');
  return operator;
}

/** Reads the right side of a comparison: a quoted string, a regular expression, or a bare word, number or wildcard. */
export function parseComparison(scanner: Scanner, operator: Operator, bareEnd: RegExp): ValueTest {
  scanner.skipSpace();
  if (scanner.peek() === '%') {
    const regex = scanner.regex();
    if (operator === '=') return (value) => isScalar(value) && regex.test(String(value));
    if (operator === '!=') return (value) => isScalar(value) && !regex.test(String(value));
    throw scanner.error(`a regular expression cannot be compared with '${operator}'`);
  }
  const isQuoted = scanner.peek() === '"';
  const literal = isQuoted ? scanner.quoted() : scanner.run(bareEnd).trimEnd();
  if (!isQuoted && literal === '') throw scanner.error('a value is missing');
  const number = !isQuoted && NUMBER.test(literal) ? Number(literal) : undefined;
  if (operator === '=' || operator === '!=') {
    const equals = equality(literal, number);
    return operator === '=' ? equals : (value) => isScalar(value) && !equals(value);
  }
  if (number === undefined) throw scanner.error(`'${operator}' compares numbers only`);
  const compare = {
    '>': (a: number) => a > number,
    '<': (a: number) => a < number,
    '>=': (a: number) => a >= number,
    '<=': (a: number) => a <= number,
  }[operator];
  return (value) => {
    const actual =
      typeof value === 'number' ? value : typeof value === 'string' && NUMBER.test(value) ? Number(value) : undefined;
    return actual !== undefined && compare(actual);
  };
}

function equality(literal: string, number: number | undefined): ValueTest {
  // A lone wildcard asks whether there is a value at all, of any kind.
  if (literal === '*') return (value) => value !== undefined && value !== null;
  const matches = wildcard(literal);
  return (value) => {
    if (number !== undefined && typeof value === 'number') return value === number;
    return isScalar(value) && matches(String(value));
  };
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Equality in which each `*` stands for any characters. Linear: pieces are looked for from left to right. */
export function wildcard(pattern: string): (text: string) => boolean {
  if (!pattern.includes('*')) return (text) => text === pattern;
  const pieces = pattern.split('*');
  const first = pieces.shift()!;
  const last = pieces.pop()!;
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let position = first.length;
    const end = text.length - last.length;
    for (const piece of pieces) {
      const found = text.indexOf(piece, position);
      if (found < 0 || found + piece.length > end) return false;
      position = found + piece.length;
    }
    return true;
  };
}
