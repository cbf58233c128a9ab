import { requireInstance } from './instance.ts';
import { print, printJson, type Terminal } from './terminal.ts';
import { variablesOf } from './variables.ts';

export type Shell = 'posix' | 'fish' | 'powershell';

/** Prints the variables that point AWS's and Docker's tools at Kobune, for `eval "$(kobune env)"`. */
export async function env(
  terminal: Terminal,
  directory: string,
  { json, shell }: { json: boolean; shell: Shell },
): Promise<void> {
  const { set, unset } = await variablesOf(await requireInstance(directory), directory, terminal.environment);
  if (json) return printJson(terminal, set);
  const syntax = SYNTAX[shell];
  for (const name of unset) print(terminal, syntax.unset(name));
  for (const [name, value] of Object.entries(set)) print(terminal, syntax.set(name, value));
}

const SYNTAX: Readonly<Record<Shell, { set(name: string, value: string): string; unset(name: string): string }>> = {
  posix: {
    set: (name, value) => `export ${name}=${quote(value)}`,
    unset: (name) => `unset ${name}`,
  },
  fish: {
    set: (name, value) => `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`,
    unset: (name) => `set -e ${name};`,
  },
  powershell: {
    set: (name, value) => `$Env:${name} = '${value.replaceAll("'", "''")}'`,
    unset: (name) => `Remove-Item -ErrorAction SilentlyContinue Env:${name}`,
  },
};

function quote(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
