import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationParts } from '../operation.ts';
import { type KeyParts, type KeyValue, keyOf } from './cache-keys.ts';

/** What a step was made of the last time. */
export interface RememberedStep {
  readonly text: string;
  readonly parts: KeyParts;
  /** Path and beginning of the digest. */
  readonly files: readonly (readonly [string, string])[];
}

/** Steps that change files, by stage (its number in the Dockerfile) and in order. */
export type RememberedBuild = readonly (readonly RememberedStep[])[];

const FORMAT = 1;
/** Builds that are remembered. */
const MAX_BUILDS = 64;
/** Past this many files, only that something has changed can be told. */
const MAX_FILES = 50_000;

/**
 * What the steps of the last build of each Dockerfile were made of, so that a step which is not in the cache can say why. Only
 * explanations depend on it: what is lost costs nothing else.
 */
export class Misses {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The last build under the first of these names that has one. */
  async recall(names: readonly string[]): Promise<RememberedBuild | undefined> {
    for (const name of names) {
      try {
        const text = await readFile(this.#file(name), 'utf8');
        const { format, stages } = JSON.parse(text) as { format: unknown; stages: RememberedBuild };
        if (format === FORMAT) return stages;
      } catch {
        // There is none, or it cannot be read: as if it were the first.
      }
    }
    return undefined;
  }

  async remember(names: readonly string[], build: RememberedBuild): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ format: FORMAT, stages: build });
    for (const name of names) {
      const file = this.#file(name);
      const temporary = `${file}.${process.pid}.new`;
      await writeFile(temporary, text, { mode: 0o600 });
      await rename(temporary, file);
    }
    await this.#tidy();
  }

  async #tidy(): Promise<void> {
    const names = await readdir(this.#directory);
    if (names.length <= MAX_BUILDS * 3) return;
    const ages = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#directory, name))).mtimeMs })),
    );
    ages.sort((a, b) => b.at - a.at);
    await Promise.all(ages.slice(MAX_BUILDS).map(({ name }) => rm(join(this.#directory, name), { force: true })));
  }

  #file(name: string): string {
    return join(this.#directory, `${keyOf(name).slice(0, 32)}.json`);
  }
}

export function rememberedStep(text: string, { parts, files }: OperationParts): RememberedStep {
  return { text, parts, files: files.size > MAX_FILES ? [] : [...files] };
}

/** Why a step is not in the cache. `before`: the steps of its stage in the last build, undefined when there was none. */
export function explainMiss(
  step: { readonly text: string; readonly index: number; readonly parts: OperationParts },
  before: readonly RememberedStep[] | undefined,
  parentRan: boolean,
): string {
  if (before === undefined) return 'first build';
  const same = before[step.index];
  const last = same?.text === step.text ? same : (before.find(({ text }) => text === step.text) ?? same);
  if (last === undefined) return parentRan ? 'a parent step ran' : 'the instruction is new';
  const change =
    last.text === step.text || last.parts.kind === step.parts.parts.kind ? difference(last, step) : undefined;
  if (change !== undefined) return change;
  if (last.text !== step.text) return 'the instruction changed';
  return parentRan ? 'a parent step ran' : 'its result is no longer in the cache';
}

function difference(
  last: RememberedStep,
  { text, parts: { parts, files } }: { readonly text: string; readonly parts: OperationParts },
): string | undefined {
  const changedArgument = changedName(last.parts.arguments, parts.arguments);
  if (changedArgument !== undefined) return `the build argument ${changedArgument} changed`;
  const changedVariable = changedName(last.parts.environment, parts.environment);
  if (changedVariable !== undefined) return `the variable ${changedVariable} changed`;
  if (last.text !== text) return 'the instruction changed';
  const filesAreKnown = last.files.length > 0 && files.size > 0;
  const changedFile = filesAreKnown ? fileChange(new Map(last.files), files) : undefined;
  if (changedFile !== undefined) return changedFile;
  for (const [name, message] of Object.entries(MESSAGES)) {
    // A stage may have been made anew with the same files.
    if (name === 'from' && filesAreKnown) continue;
    if (!equal(last.parts[name], parts[name])) return message;
  }
  return undefined;
}

const MESSAGES: Readonly<Record<string, string>> = {
  user: 'the user changed',
  workingDirectory: 'the working directory changed',
  network: "the build's network changed",
  extraHosts: 'the extra hosts changed',
  shmSize: 'the size of /dev/shm changed',
  ulimits: 'the limits changed',
  epoch: 'SOURCE_DATE_EPOCH changed',
  platform: 'the platform changed',
  from: 'the stage or image that it copies from changed',
  mounts: 'what it mounts changed',
  sources: 'what it copies changed',
  destination: 'the destination changed',
  chown: 'the owner changed',
  command: 'the command changed',
  script: 'the script changed',
};

function changedName(before: KeyValue | undefined, now: KeyValue | undefined): string | undefined {
  const [a, b] = [before ?? {}, now ?? {}] as Readonly<Record<string, KeyValue>>[];
  return Object.keys({ ...a, ...b }).find((name) => a![name] !== b![name]);
}

function fileChange(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string | undefined {
  const changes: string[] = [];
  for (const [path, digest] of now) {
    const old = before.get(path);
    if (old === undefined) changes.push(`file ${path} was added`);
    else if (old !== digest)
      changes.push(`file ${path} changed${old.split('.')[0] === digest.split('.')[0] ? ' its mode' : ''}`);
  }
  for (const path of before.keys()) if (!now.has(path)) changes.push(`file ${path} was removed`);
  const [first] = changes;
  if (first === undefined) return undefined;
  return changes.length === 1 ? first : `${first}, and ${changes.length - 1} more`;
}

function equal(a: KeyValue | undefined, b: KeyValue | undefined): boolean {
  return (a === undefined ? '' : keyOf(a)) === (b === undefined ? '' : keyOf(b));
}
