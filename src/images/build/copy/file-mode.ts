/** Makes a file's mode of what it was. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const ACTION = /([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g;
const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/**
 * Reads `--chmod`: octal digits up to 07777, or symbolic clauses as chmod(1) takes them (`u=rwX,go=rX`). Undefined when it is
 * neither. Source: "COPY --chmod" of the Dockerfile reference.
 */
export function parseModeChange(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return mode > 0o7777 ? undefined : () => mode;
  }
  const clauses = text.split(',').map((clause) => CLAUSE.exec(clause));
  if (clauses.some((clause) => clause === null)) return undefined;
  return (mode, isDirectory) =>
    clauses.reduce((now, clause) => {
      const [, who = '', actions = ''] = clause!;
      const targets = who === '' || who.includes('a') ? ['u', 'g', 'o'] : [...who];
      let result = now;
      for (const [, operator, what] of actions.matchAll(ACTION)) {
        result = apply(result, targets, operator!, what!, isDirectory);
      }
      return result;
    }, mode);
}

function apply(mode: number, targets: readonly string[], operator: string, what: string, isDirectory: boolean): number {
  let result = mode;
  for (const target of targets) {
    const shift = SHIFTS[target]!;
    const special = target === 'u' ? 0o4000 : target === 'g' ? 0o2000 : 0;
    const bits = permissions(mode, what, isDirectory) << shift;
    const extra = what.includes('s') ? special : 0;
    if (operator === '=') result &= ~((0o7 << shift) | (isDirectory ? 0 : special));
    result = operator === '-' ? result & ~(bits | extra) : result | bits | extra;
  }
  if (!what.includes('t')) return result;
  return operator === '-' ? result & ~0o1000 : result | 0o1000;
}

function permissions(mode: number, what: string, isDirectory: boolean): number {
  if (what in SHIFTS) return (mode >> SHIFTS[what]!) & 0o7;
  let bits = 0;
  if (what.includes('r')) bits |= 4;
  if (what.includes('w')) bits |= 2;
  if (what.includes('x') || (what.includes('X') && (isDirectory || (mode & 0o111) !== 0))) bits |= 1;
  return bits;
}
