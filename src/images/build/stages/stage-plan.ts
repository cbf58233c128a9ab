import { arch } from 'node:process';
import { ServiceError } from '../../../base/errors.ts';
import type { Platform } from '../../oci.ts';
import type { BuildStep } from '../builder.ts';
import {
  type ArgInstruction,
  isProxyArgument,
  type Lookup,
  type Stage,
  type StageInstruction,
} from '../dockerfile/index.ts';
import type { Operation } from '../operation.ts';
import type { StageState } from './stage-state.ts';

/** An instruction of a stage, understood: what it makes of the state, and what it does to the files. */
export interface PlannedStep {
  /** Its place; of an ONBUILD of the base, the FROM's. */
  readonly step: BuildStep;
  readonly isTrigger: boolean;
  readonly instruction: StageInstruction;
  /** After it. */
  readonly state: StageState;
  /** Of the history. */
  readonly createdBy: string;
  readonly operation: Operation | undefined;
}

/** Source: Go's names of architectures. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', ppc64: 'ppc64le' };

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[arch] ?? arch };
}

/** Reads `os/architecture[/variant]`. Throws an error that says what is wrong. Source: containerd's `platforms`. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...rest] = text.toLowerCase().split('/');
  if (rest.length > 0 || ![os, architecture, variant ?? 'x'].every((part) => /^[a-z0-9_.-]+$/.test(part))) {
    throw new Error(`"${text}" is not a platform: os/architecture or os/architecture/variant is expected`);
  }
  const named = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386' }[architecture] ?? architecture;
  return { os, architecture: named, ...(variant === undefined ? {} : { variant }) };
}

export function samePlatform(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture;
}

export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The stage that is to be built: named or numbered, the last unless told. Throws an error that names those that there are. */
export function targetStage(stages: readonly Stage[], target: string | undefined): Stage {
  if (target === undefined || target === '') return stages.at(-1)!;
  const found = findStage(stages, target);
  if (found !== undefined) return found;
  const names = stages.flatMap(({ name }) => name ?? []);
  throw new ServiceError(
    'DockerfileError',
    `target stage "${target}" could not be found${names.length === 0 ? '' : `; there are ${names.join(', ')}`}`,
  );
}

/** A stage by name, or by number. The last of several with one name. */
export function findStage(stages: readonly Stage[], reference: string): Stage | undefined {
  const name = reference.toLowerCase();
  return (
    stages.findLast((stage) => stage.name === name) ??
    (/^\d{1,9}$/.test(reference) ? stages.find(({ index }) => index === Number(reference)) : undefined)
  );
}

/** References of a stage to what may be other stages, in the order in which they are written. `from` is FROM's image, expanded. */
export function referencesOf(stage: Stage, from: string): readonly string[] {
  return [from, ...stage.instructions.flatMap((instruction) => instructionReferences(instruction))];
}

export function instructionReferences(instruction: StageInstruction): readonly string[] {
  if (instruction.kind === 'COPY') return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== 'RUN') return [];
  return instruction.mounts.flatMap(({ options }) =>
    options.flatMap(({ name, value }) => (name === 'from' && value !== undefined ? [value] : [])),
  );
}

/** Stages that the target needs, itself included. `from` gives the image of a stage's FROM. */
export function neededStages(
  stages: readonly Stage[],
  target: Stage,
  from: (stage: Stage) => string,
): ReadonlySet<Stage> {
  const needed = new Set<Stage>();
  const pending = [target];
  while (pending.length > 0) {
    const stage = pending.pop()!;
    if (needed.has(stage)) continue;
    needed.add(stage);
    const earlier = stages.slice(0, stage.index);
    for (const reference of referencesOf(stage, from(stage))) {
      const other = findStage(earlier, reference);
      if (other !== undefined) pending.push(other);
    }
  }
  return needed;
}

/** Build arguments and the ARGs before the first FROM. Remembers which build arguments were used. */
export class Arguments {
  readonly #given: Readonly<Record<string, string>>;
  readonly #platform: Readonly<Record<string, string>>;
  readonly #global = new Map<string, string | undefined>();
  readonly #used = new Set<string>();

  constructor(given: Readonly<Record<string, string>>, platform: Readonly<Record<string, string>>) {
    this.#given = given;
    this.#platform = platform;
  }

  /** An ARG before the first FROM, its variables expanded. */
  declareGlobal(instruction: ArgInstruction): void {
    for (const { name, value } of instruction.parameters) {
      this.#global.set(name, this.#take(name) ?? value ?? this.#platform[name]);
    }
  }

  /** Variables of FROM and of ARGs before it. */
  readonly global: Lookup = (name) => {
    if (this.#global.has(name)) return this.#global.get(name);
    return this.#platform[name];
  };

  /** The value of an ARG in a stage. */
  readonly inStage = (name: string, fallback: string | undefined): string | undefined => {
    return this.#take(name) ?? fallback ?? this.#global.get(name) ?? this.#platform[name];
  };

  #take(name: string): string | undefined {
    if (!Object.hasOwn(this.#given, name)) return undefined;
    this.#used.add(name);
    return this.#given[name];
  }

  /** Build arguments that no ARG has asked for. */
  unused(): readonly string[] {
    return Object.keys(this.#given).filter(
      (name) => !this.#used.has(name) && !isProxyArgument(name) && name !== 'SOURCE_DATE_EPOCH',
    );
  }
}
