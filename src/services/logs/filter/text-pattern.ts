import type { FilterPattern } from './index.ts';
import { Scanner } from './scanner.ts';

type Test = (message: string) => boolean;

/**
 * Terms: all must be in the message; `-term` must not; of `?term`s one must. `?` has no effect beside other terms, as
 * the User Guide says ("Match terms in unstructured log events"). Case counts.
 */
export function parseTextPattern(text: string): FilterPattern {
  const scanner = new Scanner(text);
  const required: Test[] = [];
  const excluded: Test[] = [];
  const optional: Test[] = [];
  for (scanner.skipSpace(); !scanner.ended; scanner.skipSpace()) {
    const sign = scanner.peek();
    const list = sign === '-' ? excluded : sign === '?' ? optional : required;
    if (list !== required) scanner.position++;
    list.push(parseTerm(scanner));
  }
  const useOptional = required.length === 0 && excluded.length === 0;
  return {
    matches: (message) =>
      useOptional
        ? optional.some((test) => test(message))
        : required.every((test) => test(message)) && !excluded.some((test) => test(message)),
    extract: () => ({}),
  };
}

function parseTerm(scanner: Scanner): Test {
  if (scanner.peek() === '%') {
    const regex = scanner.regex();
    return (message) => regex.test(message);
  }
  const term = scanner.peek() === '"' ? scanner.quoted() : scanner.run(/[^\s"%]/);
  if (term === '') throw scanner.error('a term is missing');
  return (message) => message.includes(term);
}
