/** What a filter pattern's regular expressions may hold; parentheses are not among it. */
const ALLOWED = /^[A-Za-z0-9:_#=@/;,\- ^$?[\]{}|\\*+.]*$/;
const MAX_STATES = 1000;
/** Below this length, and with at most one open-ended repetition, a backtracking search cannot take long. */
const BACKTRACKING_LIMIT = 2048;

interface Atom {
  readonly test: (code: number) => boolean;
  readonly min: number;
  readonly max: number;
}

interface Alternative {
  readonly atoms: readonly Atom[];
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

/** A regular expression that is found in time linear in the message, whatever the two hold. */
export interface LinearRegex {
  readonly source: string;
  test(text: string): boolean;
}

/**
 * Compiles the subset of regular expressions that filter patterns allow (User Guide, "Supported regular expressions
 * (regex) syntax"). Throws an Error that says what is not supported.
 */
export function parseRegex(source: string): LinearRegex {
  if (source === '') throw new Error('a regular expression is empty');
  if (!ALLOWED.test(source)) throw new Error(`unsupported character in the regular expression %${source}%`);
  const alternatives = splitAlternatives(source).map(parseAlternative);
  const openEnded = alternatives.reduce(
    (sum, { atoms }) => sum + atoms.filter(({ max }) => max === Number.POSITIVE_INFINITY).length,
    0,
  );
  const quick = openEnded <= 1 ? new RegExp(source) : undefined;
  return {
    source,
    test: (text) =>
      quick && text.length <= BACKTRACKING_LIMIT ? quick.test(text) : alternatives.some((one) => find(one, text)),
  };
}

/** The linear search alone, for comparing it with the other. */
export function testLinearly(source: string, text: string): boolean {
  return splitAlternatives(source)
    .map(parseAlternative)
    .some((one) => find(one, text));
}

function splitAlternatives(source: string): string[] {
  const parts = [''];
  let inClass = false;
  for (let index = 0; index < source.length; index++) {
    const character = source[index]!;
    if (character === '\\') {
      parts[parts.length - 1] += character + (source[++index] ?? '');
      continue;
    }
    if (character === '[') inClass = true;
    if (character === ']') inClass = false;
    if (character === '|' && !inClass) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function parseAlternative(source: string): Alternative {
  const atoms: Atom[] = [];
  let states = 0;
  let position = 0;
  let fromStart = false;
  let toEnd = false;
  while (position < source.length) {
    const character = source[position]!;
    if (character === '^') {
      if (position !== 0) throw new Error("'^' stands only at the start");
      fromStart = true;
      position++;
      continue;
    }
    if (character === '$') {
      if (position !== source.length - 1) throw new Error("'$' stands only at the end");
      toEnd = true;
      position++;
      continue;
    }
    const atom = parseAtom(source, position);
    const repeat = parseRepeat(source, atom.end);
    states += repeat.max === Number.POSITIVE_INFINITY ? repeat.min + 1 : repeat.max;
    if (states > MAX_STATES) throw new Error('a regular expression repeats too much');
    atoms.push({ test: atom.test, min: repeat.min, max: repeat.max });
    position = repeat.end;
  }
  return { atoms, fromStart, toEnd };
}

type CodeTest = (code: number) => boolean;

const isDigit: CodeTest = (code) => code >= 48 && code <= 57;
const isWord: CodeTest = (code) =>
  isDigit(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;
const isSpace: CodeTest = (code) => /\s/.test(String.fromCharCode(code));
const not =
  (test: CodeTest): CodeTest =>
  (code) =>
    !test(code);
const CLASSES: Readonly<Record<string, CodeTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
};

function parseAtom(source: string, start: number): { test: CodeTest; end: number } {
  const character = source[start]!;
  if ('*+?{'.includes(character)) throw new Error(`nothing to repeat before '${character}'`);
  if (character === ']' || character === '}') throw new Error(`'${character}' without its opening`);
  if (character === '[') return parseClass(source, start);
  if (character === '.') return { test: (code) => code !== 10 && code !== 13, end: start + 1 };
  if (character === '\\') return { test: parseEscape(source, start), end: start + 2 };
  const code = character.charCodeAt(0);
  return { test: (other) => other === code, end: start + 1 };
}

function parseEscape(source: string, start: number): CodeTest {
  const character = source[start + 1];
  if (character === undefined) throw new Error("a '\\' ends the regular expression");
  const known = CLASSES[character];
  if (known) return known;
  if (/[A-Za-z0-9]/.test(character)) throw new Error(`unsupported escape '\\${character}'`);
  const code = character.charCodeAt(0);
  return (other) => other === code;
}

function parseClass(source: string, start: number): { test: CodeTest; end: number } {
  const tests: CodeTest[] = [];
  let position = start + 1;
  const negated = source[position] === '^';
  if (negated) position++;
  while (source[position] !== ']') {
    const character = source[position];
    if (character === undefined) throw new Error("a '[' is not closed");
    if (character === '\\') {
      tests.push(parseEscape(source, position));
      position += 2;
      continue;
    }
    const from = character.charCodeAt(0);
    const upper = source[position + 2];
    if (source[position + 1] === '-' && upper !== undefined && upper !== ']' && upper !== '\\') {
      const to = upper.charCodeAt(0);
      if (to < from) throw new Error(`the range ${character}-${upper} is out of order`);
      tests.push((code) => code >= from && code <= to);
      position += 3;
    } else {
      tests.push((code) => code === from);
      position++;
    }
  }
  const any: CodeTest = (code) => tests.some((test) => test(code));
  return { test: negated ? not(any) : any, end: position + 1 };
}

function parseRepeat(source: string, start: number): { min: number; max: number; end: number } {
  const repeat = /^(?:\{(\d{1,4})(,(\d{0,4}))?\}|[*+?])/.exec(source.slice(start));
  if (!repeat) {
    if (source[start] === '{') throw new Error("a '{' is not a repetition");
    return { min: 1, max: 1, end: start };
  }
  const end = start + repeat[0].length;
  if ('*+?'.includes(source[end] ?? ' ') || source[end] === '{') throw new Error('a repetition is repeated');
  const open = Number.POSITIVE_INFINITY;
  if (repeat[0] === '*') return { min: 0, max: open, end };
  if (repeat[0] === '+') return { min: 1, max: open, end };
  if (repeat[0] === '?') return { min: 0, max: 1, end };
  const min = Number(repeat[1]);
  const max = repeat[2] === undefined ? min : repeat[3] === '' ? open : Number(repeat[3]);
  if (max < min) throw new Error('a repetition has its bounds out of order');
  return { min, max, end };
}

/** Steps of the automaton: an atom that must, may, or may again and again be taken. */
interface Step {
  readonly test: CodeTest;
  readonly optional: boolean;
  readonly loop: boolean;
}

function stepsOf(atoms: readonly Atom[]): Step[] {
  const steps: Step[] = [];
  for (const { test, min, max } of atoms) {
    for (let count = 0; count < min; count++) steps.push({ test, optional: false, loop: false });
    if (max === Number.POSITIVE_INFINITY) steps.push({ test, optional: true, loop: true });
    else for (let count = min; count < max; count++) steps.push({ test, optional: true, loop: false });
  }
  return steps;
}

/** Follows all ways at once: at most (steps × characters) moves. */
function find({ atoms, fromStart, toEnd }: Alternative, text: string): boolean {
  const steps = stepsOf(atoms);
  let current = new Uint8Array(steps.length + 1);
  const enter = (states: Uint8Array, state: number): void => {
    let at = state;
    while (states[at] === 0) {
      states[at] = 1;
      if (!steps[at]?.optional) return;
      at++;
    }
  };
  enter(current, 0);
  for (let index = 0; ; index++) {
    if (current[steps.length] === 1 && (!toEnd || index === text.length)) return true;
    if (index >= text.length) return false;
    const code = text.charCodeAt(index);
    const following = new Uint8Array(steps.length + 1);
    for (let state = 0; state < steps.length; state++) {
      if (current[state] === 0 || !steps[state]!.test(code)) continue;
      enter(following, steps[state]!.loop ? state : state + 1);
    }
    if (!fromStart) enter(following, 0);
    current = following;
  }
}
