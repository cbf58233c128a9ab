import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationParts } from '../operation.ts';
import { type KeyParts, type KeyValue, keyOf } from './cache-keys.ts';

/** Files that a step took: path and the beginning of the digest. */
export type StepFiles = ReadonlyMap<string, string>;

/** What a step was made of the last time. */
export interface RememberedStep {
  readonly text: string;
  readonly parts: KeyParts;
  /** Read only when a miss is to be explained. */
  files(): Promise<StepFiles>;
}

/** The last build of a Dockerfile. */
export interface RememberedBuild {
  /** Names all that it was made of. */
  readonly key: string;
  /** Steps that change files, by stage (its number in the Dockerfile) and in order. */
  readonly stages: readonly (readonly RememberedStep[])[];
}

type SavedFiles = readonly (readonly (readonly (readonly [string, string])[])[])[];

const FORMAT = 2;
/** Builds that are remembered. */
const MAX_BUILDS = 64;
/** Past this many files of a step, only that something has changed can be told. */
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
      const saved = (await readJson(this.#file(name, 'json'))) as
        | { readonly format: number; readonly key: string; readonly stages: RememberedBuild['stages'] }
        | undefined;
      if (saved?.format !== FORMAT) continue;
      let files: Promise<unknown> | undefined;
      const filesOf = async (stage: number, index: number): Promise<StepFiles> => {
        files ??= readJson(this.#file(name, 'files'));
        return new Map(((await files) as SavedFiles | undefined)?.[stage]?.[index] ?? []);
      };
      const stages = saved.stages.map((steps, stage) =>
        steps.map(({ text, parts }, index) => ({ text, parts, files: () => filesOf(stage, index) })),
      );
      return { key: saved.key, stages };
    }
    return undefined;
  }

  async remember(names: readonly string[], { key, stages }: RememberedBuild): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const files = await Promise.all(
      stages.map((steps) =>
        Promise.all(
          steps.map(async (step) => {
            const all = await step.files();
            return all.size > MAX_FILES ? [] : [...all];
          }),
        ),
      ),
    );
    const steps = stages.map((stage) => stage.map(({ text, parts }) => ({ text, parts })));
    for (const name of names) {
      await replace(this.#file(name, 'files'), JSON.stringify(files));
      await replace(this.#file(name, 'json'), JSON.stringify({ format: FORMAT, key, stages: steps }));
    }
    await this.#tidy();
  }

  async #tidy(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json'));
    if (names.length <= MAX_BUILDS * 2) return;
    const ages = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#directory, name))).mtimeMs })),
    );
    ages.sort((a, b) => b.at - a.at);
    for (const { name } of ages.slice(MAX_BUILDS)) {
      for (const ending of ['.json', '.files']) {
        await rm(join(this.#directory, name.replace(/\.json$/, ending)), { force: true });
      }
    }
  }

  #file(name: string, ending: 'json' | 'files'): string {
    return join(this.#directory, `${keyOf(name).slice(0, 32)}.${ending}`);
  }
}

/** Undefined when it is not there or cannot be read: as if it were the first build. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, file);
}

/** Why a step is not in the cache. `before`: the steps of its stage in the last build, undefined when there was none. */
export async function explainMiss(
  step: { readonly text: string; readonly index: number; readonly parts: OperationParts },
  before: readonly RememberedStep[] | undefined,
  parentRan: boolean,
): Promise<string> {
  if (before === undefined) return 'first build';
  const same = before[step.index];
  const last = same?.text === step.text ? same : (before.find(({ text }) => text === step.text) ?? same);
  if (last === undefined) return parentRan ? 'a parent step ran' : 'the instruction is new';
  const change =
    last.text === step.text || last.parts.kind === step.parts.parts.kind ? await difference(last, step) : undefined;
  if (change !== undefined) return change;
  if (last.text !== step.text) return 'the instruction changed';
  return parentRan ? 'a parent step ran' : 'its result is no longer in the cache';
}

async function difference(
  last: RememberedStep,
  { text, parts: { parts, files } }: { readonly text: string; readonly parts: OperationParts },
): Promise<string | undefined> {
  const changedArgument = changedName(last.parts.arguments, parts.arguments);
  if (changedArgument !== undefined) return `the build argument ${changedArgument} changed`;
  const changedVariable = changedName(last.parts.environment, parts.environment);
  if (changedVariable !== undefined) return `the variable ${changedVariable} changed`;
  if (last.text !== text) return 'the instruction changed';
  const [lastFiles, newFiles] = [await last.files(), files()];
  const filesAreKnown = lastFiles.size > 0 && newFiles.size > 0;
  const changedFile = filesAreKnown ? fileChange(lastFiles, newFiles) : undefined;
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
