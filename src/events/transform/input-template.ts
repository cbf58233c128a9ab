import { InvalidInputError } from './invalid-input-error.ts';

/** The value of a variable; `undefined`: the event has none. */
export type Variables = (name: string) => unknown;

/** A piece of a template: text, or a variable, in quotes or not. */
type Piece = string | { readonly name: string; readonly quoted: boolean };

interface Template {
  readonly pieces: readonly Piece[];
  /** What the template would be if every variable were nothing: `null`, or no characters in a string. */
  readonly sample: string;
}

/** Characters: more than any target takes. A template of 8 KB can name an event of 1 MB a thousand times. */
const MAX_FILLED = 2 * 1024 * 1024;

const PLACEHOLDER = /<([A-Za-z0-9_.-]+)>/y;
const QUOTED_TEXT = /\s*("(?:[^"\\]|\\.)*")/sy;

/**
 * Reads a template: JSON with `<variables>` in and out of its strings, or a text in quotes, or several. `names` are the
 * variables there are. Throws InvalidInputError.
 *
 * Outside of quotes a variable is its value's JSON. Within, a text stands as it is, unescaped, and of anything else its JSON
 * without the quotes in it. What the event does not have is an empty text. JSON is sent without spaces between its parts.
 * Source: EventBridge User Guide, "Amazon EventBridge input transformation", "Common issues with transforming input".
 */
export function compileTemplate(template: string, names: ReadonlySet<string>): (variables: Variables) => string {
  const isText = template.trimStart().startsWith('"');
  const { pieces, sample } = split(template, isText);
  for (const piece of pieces) {
    if (typeof piece !== 'string' && !names.has(piece.name)) {
      throw new InvalidInputError(`contains invalid placeholder ${piece.name}.`);
    }
  }
  if (isText) checkTexts(sample);
  else checkJson(sample);
  return (variables) => filled(pieces, variables);
}

/** Each variable is looked up once, however often the template has it. Throws InvalidInputError for what is too long. */
function filled(pieces: readonly Piece[], variables: Variables): string {
  const known = new Map<string, string>();
  const textOf = (piece: Piece): string => {
    if (typeof piece === 'string') return piece;
    const key = `${piece.quoted ? '"' : ''}${piece.name}`;
    const text = known.get(key) ?? fill(piece, variables);
    known.set(key, text);
    return text;
  };
  let result = '';
  for (const piece of pieces) {
    const text = textOf(piece);
    if (result.length + text.length > MAX_FILLED) {
      throw new InvalidInputError(`makes an input of more than ${MAX_FILLED} characters.`);
    }
    result += text;
  }
  return result;
}

function fill({ name, quoted }: Exclude<Piece, string>, variables: Variables): string {
  const found = variables(name);
  const value = found === undefined ? '' : found;
  if (!quoted) return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value).replaceAll('"', '');
}

/** `keepSpaces`: those between strings too. */
function split(template: string, keepSpaces: boolean): Template {
  const pieces: Piece[] = [];
  let [text, sample] = ['', ''];
  let quoted = false;
  /** A variable is in the string that was read last. */
  let variableInString = false;
  for (let at = 0; at < template.length; at += 1) {
    const character = template[at]!;
    PLACEHOLDER.lastIndex = at;
    const [placeholder, name] = (character === '<' && PLACEHOLDER.exec(template)) || [];
    if (placeholder !== undefined) {
      pieces.push(text, { name: name!, quoted });
      text = '';
      variableInString ||= quoted;
      if (!quoted) sample += 'null';
      at += placeholder.length - 1;
      continue;
    }
    const escaped = quoted && character === '\\' ? (template[at + 1] ?? '') : '';
    if (character === '"') {
      if (!quoted) variableInString = false;
      quoted = !quoted;
    } else if (character === ':' && !quoted && variableInString) {
      throw new InvalidInputError('has a placeholder in an object key.');
    } else if (!quoted && /[,[\]{}]/.test(character)) variableInString = false;
    if (quoted || keepSpaces || !/\s/.test(character)) text += character + escaped;
    sample += character + escaped;
    at += escaped.length;
  }
  pieces.push(text);
  return { pieces: pieces.filter((piece) => piece !== ''), sample };
}

/** Nothing but strings, with white space between them. */
function checkTexts(sample: string): void {
  let at = 0;
  while (sample.slice(at).trim() !== '') {
    QUOTED_TEXT.lastIndex = at;
    const [text, string] = QUOTED_TEXT.exec(sample) ?? [];
    if (text === undefined) throw new InvalidInputError(`is not valid: a string was expected at character ${at}.`);
    checkJson(string!);
    at += text.length;
  }
}

function checkJson(sample: string): void {
  try {
    JSON.parse(sample);
  } catch (error) {
    throw new InvalidInputError(`is not valid JSON: ${(error as Error).message}`);
  }
}
