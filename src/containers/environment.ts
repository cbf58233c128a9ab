import { DEFAULT_PATH } from './runtime/standard.ts';

const nameOf = (variable: string) => variable.split('=', 1)[0]!;

/** `variables`, and those of `defaults` whose names are not among them, which come first. A later one of a name wins. */
export function withDefaults(variables: readonly string[], defaults: readonly string[]): string[] {
  const last = new Map(variables.map((variable) => [nameOf(variable), variable]));
  // A name alone takes a variable away.
  const kept = [...last.values()].filter((variable) => variable.includes('='));
  return [...defaults.filter((variable) => !last.has(nameOf(variable))), ...kept];
}

/** What every process inside has. */
export function standardVariables(options: {
  readonly hostname?: string;
  readonly home?: string;
  readonly terminal: boolean;
}): string[] {
  return [
    `PATH=${DEFAULT_PATH}`,
    ...(options.hostname === undefined ? [] : [`HOSTNAME=${options.hostname}`]),
    ...(options.terminal ? ['TERM=xterm'] : []),
    ...(options.home === undefined ? [] : [`HOME=${options.home}`]),
  ];
}
