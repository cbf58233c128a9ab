import type { ImageConfig, Platform } from '../../oci.ts';
import type { BuildSession } from '../build-session.ts';
import type { BuildStep } from '../builder.ts';
import { keyOf } from '../cache/cache-keys.ts';
import { CopyOperation } from '../copy/copy-operation.ts';
import { WorkdirOperation } from '../copy/workdir-operation.ts';
import {
  expandInstruction,
  expandMount,
  type InstructionExpansion,
  parseTrigger,
  runCommand,
  type Stage,
  type StageInstruction,
} from '../dockerfile/index.ts';
import type { FileSystemSource, Operation } from '../operation.ts';
import { RunOperation } from '../run/run-operation.ts';
import { stepError } from '../step-error.ts';
import { createdBy } from './history.ts';
import { imageDefinition } from './image-source.ts';
import { EMPTY_SNAPSHOT, type Snapshot, snapshotOf } from './snapshot.ts';
import { type Arguments, hostPlatform, type PlannedStep } from './stage-plan.ts';
import {
  applyInstruction,
  emptyState,
  imageState,
  inheritedState,
  lookupIn,
  type StageState,
  shellOf,
} from './stage-state.ts';

/** A stage with all its instructions understood. */
export interface StagePlan {
  /** The image at the very bottom, below all stages. */
  readonly base: {
    readonly config: ImageConfig | undefined;
    readonly snapshot: Snapshot;
    readonly definition: string;
  };
  /** Everything since the base: the steps of stages below, then its own. */
  readonly steps: readonly PlannedStep[];
  readonly own: readonly PlannedStep[];
  /** After its last instruction. */
  readonly state: StageState;
  /** Tells that the FROM is done, once its triggers are. */
  finishFrom(): void;
}

export interface StagePlanInput {
  readonly session: BuildSession;
  readonly stage: Stage;
  readonly arguments: Arguments;
  /** FROM's image and platform, expanded. */
  readonly from: string;
  readonly platform: Platform | undefined;
  /** The plan of the stage that FROM names. */
  readonly below: (() => Promise<StagePlan>) | undefined;
  /** The FROM's place among the steps. */
  readonly step: BuildStep;
  /** Place of an instruction of the Dockerfile. */
  stepOf(instruction: StageInstruction): BuildStep;
  /** What `--from` of a COPY or a mount means. */
  sourceOf(reference: string): FileSystemSource;
}

/** Finds the base of a stage and goes through its instructions, without carrying any out. */
export async function planStage(input: StagePlanInput): Promise<StagePlan> {
  const { session, stage, step } = input;
  const started = performance.now();
  session.emit({ kind: 'step', step, state: 'started' });
  let foundation: Foundation;
  try {
    foundation = await lay(input);
  } catch (error) {
    throw stepError(error, stage.from, session.dockerfile.name);
  }
  const { base, below, state, triggers, result } = foundation;
  const durationMs = performance.now() - started;
  const finishFrom = () => session.emit({ kind: 'step', step, state: 'done', cached: true, durationMs, result });
  if (triggers.length === 0) finishFrom();
  const planner = new Planner(input, state);
  for (const trigger of triggers) planner.addTrigger(trigger);
  for (const instruction of stage.instructions) planner.add(instruction, input.stepOf(instruction));
  return { base, own: planner.steps, steps: [...below, ...planner.steps], state: planner.state, finishFrom };
}

interface Foundation {
  readonly base: StagePlan['base'];
  readonly below: readonly PlannedStep[];
  readonly state: StageState;
  readonly triggers: readonly string[];
  /** Short name of what it is. */
  readonly result: string;
}

async function lay({ session, from, platform, below, step }: StagePlanInput): Promise<Foundation> {
  if (below !== undefined) {
    const plan = await below();
    const triggers = plan.state.run.OnBuild ?? [];
    const state = inheritedState(plan.state);
    return { base: plan.base, below: plan.steps, state, triggers, result: plan.base.definition.slice(0, 12) };
  }
  if (from === 'scratch') {
    const definition = keyOf({ image: 'scratch' });
    const base = { config: undefined, snapshot: EMPTY_SNAPSHOT, definition };
    const state = emptyState(platform ?? hostPlatform());
    return { base, below: [], state, triggers: [], result: definition.slice(0, 12) };
  }
  const image = await session.image(from, platform, step);
  return {
    base: { config: image.config, snapshot: snapshotOf(image.layers), definition: imageDefinition(image) },
    below: [],
    state: imageState(image.config),
    triggers: image.config.config?.OnBuild ?? [],
    result: image.id.slice('sha256:'.length, 'sha256:'.length + 12),
  };
}

class Planner {
  readonly steps: PlannedStep[] = [];
  state: StageState;
  readonly #input: StagePlanInput;

  constructor(input: StagePlanInput, state: StageState) {
    this.#input = input;
    this.state = state;
  }

  /** An ONBUILD of the base: part of the FROM. */
  addTrigger(trigger: string): void {
    const { stage, step } = this.#input;
    const parsed = parseTrigger(trigger, { name: `ONBUILD of ${this.#input.from}` });
    if (parsed.kind === 'ONBUILD' || parsed.kind === 'MAINTAINER') {
      throw stepError(new Error(`ONBUILD ${parsed.kind} is not allowed`), stage.from, this.#file);
    }
    // Errors of it point at the FROM, as it is in no file of the user's.
    const placed = { ...parsed, lines: stage.from.lines, excerpt: stage.from.excerpt };
    this.add(placed, step, true);
  }

  add(written: StageInstruction, step: BuildStep, isTrigger = false): void {
    try {
      const instruction = expandInstruction(written, this.#expansion());
      const before = this.state;
      this.state = applyInstruction(before, instruction, this.#input.arguments.inStage);
      const { operation, words } = this.#operationOf(instruction, before);
      this.steps.push({
        step,
        isTrigger,
        instruction,
        state: this.state,
        createdBy: createdBy(instruction, this.state, words),
        operation,
      });
    } catch (error) {
      throw stepError(error, written, this.#file);
    }
  }

  get #file(): string {
    return this.#input.session.dockerfile.name;
  }

  #expansion(): InstructionExpansion {
    const { dockerfile } = this.#input.session;
    return { name: dockerfile.name, escape: dockerfile.directives.escape, lookup: lookupIn(this.state) };
  }

  #operationOf(
    instruction: StageInstruction,
    state: StageState,
  ): { operation: Operation | undefined; words: readonly string[] } {
    const { session, sourceOf } = this.#input;
    switch (instruction.kind) {
      case 'COPY': {
        const from = instruction.from === undefined ? undefined : sourceOf(instruction.from);
        return { operation: new CopyOperation(session, instruction, state, from), words: [] };
      }
      case 'ADD':
        return { operation: new CopyOperation(session, instruction, state, undefined), words: [] };
      case 'RUN': {
        if (instruction.security === 'insecure') {
          throw new Error('RUN --security=insecure is not supported: steps run in a sandbox, --security=sandbox');
        }
        const command = runCommand(instruction, shellOf(state));
        const mounts = instruction.mounts.map((written) => {
          const mount = expandMount(instruction, written, this.#expansion());
          const from = 'from' in mount ? mount.from : undefined;
          return { mount, source: from === undefined ? undefined : sourceOf(from) };
        });
        return { operation: new RunOperation(session, instruction, state, command, mounts), words: command.words };
      }
      case 'WORKDIR': {
        const path = this.state.run.WorkingDir!;
        if (path === '/') return { operation: undefined, words: [] };
        return { operation: new WorkdirOperation(path, state.run.User ?? '', session.epoch), words: [] };
      }
      default:
        return { operation: undefined, words: [] };
    }
  }
}
