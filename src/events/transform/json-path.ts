/** A step from a value to values in it: a member's name, an element's number, or all of them. */
type Step = { readonly name: string } | { readonly index: number } | { readonly all: true };

/** Finds a value in an event; `undefined` when there is none. */
export type JsonPath = (event: unknown) => unknown;

/** After a dot: a name, or a star. */
const DOTTED = /\.(?:(\*)|([^.[\]*'"\s]+))/y;
/** In brackets: a star, a number, or a name in quotes. */
const BRACKETED = /\[\s*(?:(\*)|(\d{1,9})|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/y;

/**
 * Reads the paths that EventBridge takes: `$`, `$.detail.state`, `$.detail.items[0].name`, `$.detail['a name']`, and `*` for
 * all members or elements, which finds an array. Returns `undefined` when it is none of these.
 * Source: EventBridge User Guide, "Amazon EventBridge input transformation", the note on syntax.
 */
export function compileJsonPath(path: string): JsonPath | undefined {
  if (!path.startsWith('$')) return undefined;
  const steps: Step[] = [];
  let at = 1;
  while (at < path.length) {
    const found = matchAt(DOTTED, path, at);
    if (found) {
      steps.push(found[1] ? { all: true } : { name: found[2]! });
      at += found[0].length;
      continue;
    }
    const inBrackets = matchAt(BRACKETED, path, at);
    if (!inBrackets) return undefined;
    const [text, star, index, single, double] = inBrackets;
    if (star) steps.push({ all: true });
    else if (index) steps.push({ index: Number(index) });
    else steps.push({ name: (single ?? double ?? '').replace(/\\(.)/g, '$1') });
    at += text.length;
  }
  const definite = steps.every((step) => !('all' in step));
  return (event) => {
    const found = steps.reduce<readonly unknown[]>(
      (values, step) => values.flatMap((value) => take(value, step)),
      [event],
    );
    return definite ? found[0] : found.length === 0 ? undefined : found;
  };
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(text);
}

/** What lies a step further. */
function take(value: unknown, step: Step): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('all' in step) return Object.values(value);
  if ('index' in step) return Array.isArray(value) && step.index < value.length ? [value[step.index]] : [];
  const owner = value as Readonly<Record<string, unknown>>;
  return !Array.isArray(value) && Object.hasOwn(value, step.name) ? [owner[step.name]] : [];
}
