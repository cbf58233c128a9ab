/** The runtimes by the names that Lambda gives them. Source: Lambda Developer Guide, "Lambda runtimes". */
export type RuntimeFamily = 'nodejs' | 'python' | 'provided';

export interface RuntimeIdentity {
  /** `nodejs22.x` */
  readonly name: string;
  readonly family: RuntimeFamily;
  /** Node's major version, Python's minor one; 0 for `provided`. */
  readonly version: number;
}

export const runtimeNames = [
  'nodejs20.x',
  'nodejs22.x',
  'nodejs24.x',
  'python3.9',
  'python3.10',
  'python3.11',
  'python3.12',
  'python3.13',
  'python3.14',
  'provided.al2',
  'provided.al2023',
] as const;

/** What an image brings is its own; it is spoken to as a custom runtime is. */
export const IMAGE_RUNTIME: RuntimeIdentity = { name: 'image', family: 'provided', version: 0 };

/** The runtime that a name stands for; `undefined` for a name that Kobune does not run. */
export function parseRuntime(name: string): RuntimeIdentity | undefined {
  if (!(runtimeNames as readonly string[]).includes(name)) return undefined;
  const node = /^nodejs(\d+)\.x$/.exec(name);
  if (node) return { name, family: 'nodejs', version: Number(node[1]) };
  const python = /^python3\.(\d+)$/.exec(name);
  if (python) return { name, family: 'python', version: Number(python[1]) };
  return { name, family: 'provided', version: 0 };
}
