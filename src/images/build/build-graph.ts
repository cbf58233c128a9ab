import type { Platform } from '../oci.ts';
import type { BuildSession } from './build-session.ts';
import type { BuildStep } from './builder.ts';
import type { RememberedBuild } from './cache/misses.ts';
import type { HeldRecord } from './cache/step-records.ts';
import { expandInstruction, platformArguments, type Stage, type StageInstruction } from './dockerfile/index.ts';
import type { FileSystemSource } from './operation.ts';
import { ImageSource } from './stages/image-source.ts';
import { StageBuild } from './stages/stage-build.ts';
import { Arguments, findStage, hostPlatform, neededStages, parsePlatform, targetStage } from './stages/stage-plan.ts';
import { planStage, type StagePlan } from './stages/stage-planner.ts';
import { stepError } from './step-error.ts';

export interface GraphOptions {
  readonly remembered: RememberedBuild | undefined;
  lookUp(key: string): Promise<HeldRecord | undefined>;
}

/** The stages of a Dockerfile that are needed for one of them, and how they depend on each other. */
export class BuildGraph {
  readonly target: StageBuild;
  /** By their number in the Dockerfile. */
  readonly stages: ReadonlyMap<number, StageBuild>;
  readonly arguments: Arguments;
  readonly #session: BuildSession;
  readonly #images = new Map<string, ImageSource>();
  readonly #froms = new Map<Stage, { readonly image: string; readonly platform: Platform | undefined }>();

  constructor(session: BuildSession, { remembered, lookUp }: GraphOptions) {
    this.#session = session;
    const { dockerfile, options } = session;
    const wanted = options.platform ?? hostPlatform();
    this.arguments = new Arguments(options.buildArgs, platformArguments(hostPlatform(), wanted));
    this.#declareGlobals();
    const target = targetStage(dockerfile.stages, options.target);
    const needed = neededStages(dockerfile.stages, target, (stage) => this.#fromOf(stage).image);
    const steps = numberSteps(dockerfile.stages.filter((stage) => needed.has(stage)));
    const stages = new Map<number, StageBuild>();
    for (const stage of dockerfile.stages) {
      if (!needed.has(stage)) continue;
      const earlier = dockerfile.stages.slice(0, stage.index);
      const { image, platform } = this.#fromOf(stage);
      const named = findStage(earlier, image);
      const below = named === undefined ? undefined : stages.get(named.index);
      let plan: Promise<StagePlan> | undefined;
      const build: StageBuild = new StageBuild(session, {
        below,
        label: `stage ${stage.name ?? stage.index}`,
        remembered: remembered === undefined ? undefined : (remembered.stages[stage.index] ?? []),
        lookUp,
        plan: () => {
          plan ??= session.track(
            planStage({
              session,
              stage,
              arguments: this.arguments,
              from: image,
              platform: platform ?? options.platform,
              below: below === undefined ? undefined : () => below.plan(),
              step: steps.get(stage.from)!,
              stepOf: (instruction: StageInstruction) => steps.get(instruction)!,
              sourceOf: (reference: string) => this.#sourceOf(reference, earlier, stages),
            }),
          );
          return plan;
        },
      });
      stages.set(stage.index, build);
    }
    this.stages = stages;
    this.target = stages.get(target.index)!;
  }

  /** Begins to find the bases of all stages, at the same time. */
  async planAll(): Promise<void> {
    await Promise.all([...this.stages.values()].map((stage) => stage.plan()));
  }

  #declareGlobals(): void {
    const { dockerfile } = this.#session;
    for (const instruction of dockerfile.globalArguments) {
      this.arguments.declareGlobal(
        expandInstruction(instruction, {
          name: dockerfile.name,
          escape: dockerfile.directives.escape,
          lookup: this.arguments.global,
        }),
      );
    }
  }

  #fromOf(stage: Stage): { readonly image: string; readonly platform: Platform | undefined } {
    let from = this.#froms.get(stage);
    if (from === undefined) {
      const { dockerfile } = this.#session;
      try {
        const { image, platform } = expandInstruction(stage.from, {
          name: dockerfile.name,
          escape: dockerfile.directives.escape,
          lookup: this.arguments.global,
        });
        if (image === '') throw new Error(`FROM ${stage.from.image} names no image: a variable in it has no value`);
        from = { image, platform: platform === undefined || platform === '' ? undefined : parsePlatform(platform) };
      } catch (error) {
        throw stepError(error, stage.from, dockerfile.name);
      }
      this.#froms.set(stage, from);
    }
    return from;
  }

  #sourceOf(reference: string, earlier: readonly Stage[], stages: ReadonlyMap<number, StageBuild>): FileSystemSource {
    const stage = findStage(earlier, reference);
    const build = stage === undefined ? undefined : stages.get(stage.index);
    if (build !== undefined) return build;
    if (reference === 'scratch') throw new Error('scratch has no files that could be taken');
    if (/^\d+$/.test(reference)) throw new Error(`there is no stage ${reference} before this one`);
    let image = this.#images.get(reference);
    if (image === undefined) {
      const { platform } = this.#session.options;
      image = new ImageSource(this.#session, reference, () => this.#session.image(reference, platform, undefined));
      this.#images.set(reference, image);
    }
    return image;
  }
}

/** Numbers the instructions of the stages in the order of the file. */
function numberSteps(stages: readonly Stage[]): ReadonlyMap<object, BuildStep> {
  const all = stages.flatMap((stage) =>
    [stage.from, ...stage.instructions].map((instruction) => ({ stage, instruction })),
  );
  return new Map(
    all.map(({ stage, instruction }, index) => [
      instruction,
      {
        number: index + 1,
        total: all.length,
        stage: stage.name ?? String(stage.index),
        text: instruction.text,
        line: instruction.lines.start,
      },
    ]),
  );
}
