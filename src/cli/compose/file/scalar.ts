export type ScalarValue = string | number | boolean | null;

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['True', true],
  ['TRUE', true],
  ['false', false],
  ['False', false],
  ['FALSE', false],
]);
const DECIMAL = /^[-+]?(?:0|[1-9][0-9_]*)$/;
const OCTAL = /^([-+]?)0o?([0-7_]+)$/;
const HEXADECIMAL = /^([-+]?)0x([0-9a-fA-F_]+)$/;
const BINARY = /^([-+]?)0b([01_]+)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;

/**
 * What an unquoted scalar means. Numbers are those of YAML 1.2's core schema, and the octal `0440` of YAML 1.1, which people
 * write as the mode of a file (https://yaml.org/spec/1.2.2/#103-core-schema). Dates and `yes` are text.
 */
export function plainScalar(text: string): ScalarValue {
  if (NULLS.has(text)) return null;
  const truth = BOOLEANS.get(text);
  if (truth !== undefined) return truth;
  return plainInteger(text) ?? (FLOAT.test(text) ? Number(text) : text);
}

function plainInteger(text: string): number | string | undefined {
  if (DECIMAL.test(text)) return safe(Number(text.replaceAll('_', '')), text);
  for (const [pattern, base] of [
    [OCTAL, 8],
    [HEXADECIMAL, 16],
    [BINARY, 2],
  ] as const) {
    const [, sign, digits] = pattern.exec(text) ?? [];
    if (digits === undefined) continue;
    const number = Number.parseInt(digits.replaceAll('_', ''), base);
    return safe(sign === '-' ? -number : number, text);
  }
  return undefined;
}

/** A number that JavaScript cannot hold exactly stays as it was written. */
function safe(number: number, text: string): number | string {
  return Number.isSafeInteger(number) ? number : text;
}
