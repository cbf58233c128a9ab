import type { BuildSession } from '../build-session.ts';
import type { BuildProgress, BuildStep } from '../builder.ts';
import { type KeyValue, keyOf } from '../cache/cache-keys.ts';
import { explainMiss, type RememberedStep } from '../cache/misses.ts';
import type { HeldRecord, StepResult } from '../cache/step-records.ts';
import type { SourceTree } from '../copy/source-tree.ts';
import type { FileSystemSource, Operation, OperationParts } from '../operation.ts';
import { stepError } from '../step-error.ts';
import { imageConfig, shortResult } from './image-config.ts';
import { EMPTY_SNAPSHOT, onTopOf, type Snapshot } from './snapshot.ts';
import type { PlannedStep } from './stage-plan.ts';
import type { StagePlan } from './stage-planner.ts';

/** What was made of a stage: its files, and what each instruction since the base image did. */
export interface StageResult {
  readonly snapshot: Snapshot;
  readonly results: readonly StepResult[];
  /** A step of this stage, or of one below, was carried out. */
  readonly ran: boolean;
}

/** What a stage has to do with others, and with earlier builds. */
export interface StageSurroundings {
  plan(): Promise<StagePlan>;
  /** The stage that FROM names; undefined: an image or nothing. */
  readonly below: StageBuild | undefined;
  readonly label: string;
  /** The steps of this stage in the last build. */
  readonly remembered: readonly RememberedStep[] | undefined;
  /** A result that was made before, here or elsewhere. */
  lookUp(key: string): Promise<HeldRecord | undefined>;
}

type PlannedOperation = PlannedStep & { readonly operation: Operation };

/**
 * A stage being built. Nothing is made before somebody asks for it: first it is tried to find the last result that is in the
 * cache by how it is made, then only what comes after it is carried out, each step unless the same was done upon the same files.
 */
export class StageBuild implements FileSystemSource {
  readonly label: string;
  readonly #session: BuildSession;
  readonly #surroundings: StageSurroundings;
  #parts: Promise<readonly OperationParts[]> | undefined;
  #definitions: Promise<readonly string[]> | undefined;
  #result: Promise<StageResult> | undefined;
  /** Files that steps were found to take, by the step. */
  readonly #files = new Map<number, OperationParts['files']>();
  readonly #used = new Map<string, Set<string>>();

  constructor(session: BuildSession, surroundings: StageSurroundings) {
    this.#session = session;
    this.#surroundings = surroundings;
    this.label = surroundings.label;
  }

  plan(): Promise<StagePlan> {
    return this.#surroundings.plan();
  }

  async definition(): Promise<string> {
    return (await this.definitions()).at(-1)!;
  }

  async snapshot(): Promise<Snapshot> {
    return (await this.result()).snapshot;
  }

  async tree(): Promise<SourceTree> {
    return this.#session.mounted(await this.snapshot(), this.label);
  }

  /** Builds it, once. */
  result(): Promise<StageResult> {
    if (this.#result === undefined) {
      this.#result = this.#session.track(this.#build());
      this.#result.catch((error) => this.#session.abort(error));
    }
    return this.#result;
  }

  get wasAskedFor(): boolean {
    return this.#result !== undefined;
  }

  /** This stage and those that it stands on, the lowest first. */
  get withBelow(): readonly StageBuild[] {
    return [...(this.#surroundings.below?.withBelow ?? []), this];
  }

  /** Records that were used, with keys by which they were found otherwise. */
  get used(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#used;
  }

  /** Keys of the base and of what is there after each instruction that changes files. */
  definitions(): Promise<readonly string[]> {
    this.#definitions ??= (async () => {
      const { below } = this.#surroundings;
      const { base, own } = await this.plan();
      const [parts, start] = await Promise.all([this.#allParts(), below?.definition() ?? base.definition]);
      const keys = [start];
      for (const [index, { operation }] of operationsOf(own).entries()) {
        keys.push(keyOf({ below: keys.at(-1)!, independent: operation.independent, ...parts[index]!.parts }));
      }
      return keys;
    })();
    return this.#definitions;
  }

  #allParts(): Promise<readonly OperationParts[]> {
    this.#parts ??= (async () => {
      const { own } = await this.plan();
      return await Promise.all(
        operationsOf(own).map(({ operation, instruction }) =>
          operation.definition().catch((error: unknown) => {
            throw stepError(error, instruction, this.#session.dockerfile.name);
          }),
        ),
      );
    })();
    return this.#parts;
  }

  /** What its steps are made of, for explaining the misses of later builds. */
  async remember(): Promise<readonly RememberedStep[]> {
    const [{ own }, parts] = [await this.plan(), await this.#allParts()];
    return operationsOf(own).map(({ step }, index) => {
      const { parts: now, files } = parts[index]!;
      const last = this.#surroundings.remembered?.[index];
      const same = last?.text === step.text && keyOf(last.parts as KeyValue) === keyOf(now as KeyValue);
      return {
        text: step.text,
        parts: now,
        files: async () => {
          // Files of other stages are looked at only when they must be; those of the same stage are still the same.
          const known = this.#files.get(index)?.() ?? files();
          return known.size === 0 && same ? await last.files() : known;
        },
      };
    });
  }

  async #build(): Promise<StageResult> {
    const plan = await this.plan();
    const operations = operationsOf(plan.own);
    const keys = await this.definitions();
    const inherited = plan.steps.length - plan.own.length;
    const before = operationsOf(plan.steps.slice(0, inherited)).length;
    const found = await this.#findLast(keys, before);
    // What later steps take from is begun now: it is made while the steps before it run.
    for (const { operation } of operations.slice(found === undefined ? 0 : found.results.length - before)) {
      for (const source of operation.sources) source.snapshot().catch(() => undefined);
    }
    let done: StageResult;
    if (found !== undefined) done = { ...found, ran: false };
    else if (this.#surroundings.below !== undefined) done = await this.#surroundings.below.result();
    else done = { snapshot: plan.base.snapshot, results: [], ran: false };
    let finished = done.results.length - before;
    const finishFrom = once(plan);
    let index = 0;
    for (const planned of plan.own) {
      this.#session.signal.throwIfAborted();
      if (!planned.isTrigger) finishFrom();
      if (planned.operation === undefined) {
        this.#reportMetadata(planned, plan, done, index, finished);
        continue;
      }
      if (index < finished) this.#reportCached(planned, plan, done, before + index + 1);
      else {
        done = await this.#carryOut(planned as PlannedOperation, index, plan, done, keys[index + 1]!);
        finished = index + 1;
      }
      index += 1;
    }
    finishFrom();
    return done;
  }

  /** The last step that was done before: everything up to it need not be looked at. */
  async #findLast(keys: readonly string[], before: number): Promise<Omit<StageResult, 'ran'> | undefined> {
    if (this.#session.options.noCache === true) return undefined;
    const { base } = await this.plan();
    for (let index = keys.length - 1; index > 0; index -= 1) {
      const held = await this.#surroundings.lookUp(keys[index]!);
      if (held === undefined) continue;
      this.#session.defer(held.release);
      const { results } = held.record;
      if (results.length !== before + index) continue;
      this.#use(held.record.id);
      return { results, snapshot: withResults(base.snapshot, results) };
    }
    return undefined;
  }

  async #carryOut(
    { step, isTrigger, operation, instruction, state }: PlannedOperation,
    index: number,
    plan: StagePlan,
    below: StageResult,
    definition: string,
  ): Promise<StageResult> {
    const session = this.#session;
    const started = performance.now();
    this.#emitStep(isTrigger, { kind: 'step', step, state: 'started' });
    try {
      const { parts, files } = await operation.content();
      this.#files.set(index, files);
      const content = keyOf({ files: operation.independent ? null : below.snapshot.chain, content: true, ...parts });
      const { result, carriedOut } = await this.#findOrExecute(operation, step, below, definition, content);
      const done: StageResult = {
        results: [...below.results, result],
        snapshot: result.layer === undefined ? below.snapshot : onTopOf(below.snapshot, result.layer),
        ran: below.ran || carriedOut,
      };
      const own = await this.#allParts();
      this.#emitStep(isTrigger, {
        kind: 'step',
        step,
        state: 'done',
        cached: !carriedOut,
        ...(carriedOut
          ? { miss: await this.#missOf(step, index, { parts: own[index]!.parts, files }, below.ran) }
          : {}),
        durationMs: performance.now() - started,
        result: this.#shortResult(plan, done, state, step),
      });
      return done;
    } catch (error) {
      throw stepError(error, instruction, session.dockerfile.name);
    }
  }

  /** The result from the cache, or of doing it; while somebody else does just that, it is waited for. */
  async #findOrExecute(
    operation: Operation,
    step: BuildStep,
    below: StageResult,
    definition: string,
    content: string,
  ): Promise<{ readonly result: StepResult; readonly carriedOut: boolean }> {
    const { options, parts, signal } = this.#session;
    const execute = async () => ({
      result: await this.#execute(operation, step, below, [definition, content]),
      carriedOut: true,
    });
    if (options.noCache === true) return await execute();
    const giveBack = await parts.turns.take(content, signal);
    try {
      const known = await this.#findSame(content, definition, below, step);
      return known === undefined ? await execute() : { result: known, carriedOut: false };
    } finally {
      giveBack();
    }
  }

  async #missOf(step: BuildStep, index: number, parts: OperationParts, parentRan: boolean): Promise<string> {
    if (this.#session.options.noCache === true) return 'the build was asked not to use the cache';
    return await explainMiss({ text: step.text, index, parts }, this.#surroundings.remembered, parentRan);
  }

  /** What the same instruction did to the same files before. */
  async #findSame(
    content: string,
    definition: string,
    below: StageResult,
    { text }: BuildStep,
  ): Promise<StepResult | undefined> {
    const held = await this.#surroundings.lookUp(content);
    if (held === undefined) return undefined;
    this.#session.defer(held.release);
    const { results, id } = held.record;
    const last = results.at(-1)!;
    const all = [...below.results, last];
    if (JSON.stringify(all) === JSON.stringify(results)) this.#use(id, definition);
    else await this.#record([definition], all, text);
    return last;
  }

  async #execute(
    operation: Operation,
    step: BuildStep,
    below: StageResult,
    keys: readonly string[],
  ): Promise<StepResult> {
    const session = this.#session;
    // Whoever waits for a stage must not take the place that its steps need.
    for (const source of operation.sources) await source.tree();
    return await session.limit(async () => {
      const root = await session.root(operation.independent ? EMPTY_SNAPSHOT : below.snapshot, { volatile: true });
      try {
        const { unchanged, changed } = await operation.execute(root, {
          signal: session.signal,
          output: (stream, bytes) => session.emit({ kind: 'output', step, stream, bytes }),
        });
        session.signal.throwIfAborted();
        const { layer, empty, release } = await session.parts.images.roots.commit(root, {
          unchanged,
          consume: true,
          ...(session.epoch === undefined ? {} : { clampTime: session.epoch }),
        });
        session.defer(release);
        const result: StepResult = { created: Date.now(), layer: empty ? undefined : layer };
        for (const path of changed)
          session.warn(`${path} was changed while it was copied: the step is not cached`, step.line);
        if (changed.length === 0) await this.#record(keys, [...below.results, result], step.text);
        return result;
      } catch (error) {
        await root.remove();
        throw error;
      }
    });
  }

  async #record(keys: readonly string[], results: readonly StepResult[], description: string): Promise<void> {
    const record = await this.#session.parts.records.add({ keys, results, description });
    this.#session.made(record);
  }

  #use(id: string, key?: string): void {
    const keys = this.#used.get(id) ?? new Set();
    if (key !== undefined) keys.add(key);
    this.#used.set(id, keys);
  }

  #reportCached({ step, isTrigger, state }: PlannedStep, plan: StagePlan, done: StageResult, count: number): void {
    this.#emitStep(isTrigger, { kind: 'step', step, state: 'started' });
    this.#emitStep(isTrigger, {
      kind: 'step',
      step,
      state: 'done',
      cached: true,
      durationMs: 0,
      result: this.#shortResult(plan, { ...done, results: done.results.slice(0, count) }, state, step),
    });
  }

  #reportMetadata(
    { step, isTrigger, state }: PlannedStep,
    plan: StagePlan,
    done: StageResult,
    index: number,
    finished: number,
  ): void {
    const cached = !done.ran && index <= finished && this.#surroundings.remembered !== undefined;
    this.#emitStep(isTrigger, { kind: 'step', step, state: 'started' });
    this.#emitStep(isTrigger, {
      kind: 'step',
      step,
      state: 'done',
      cached,
      durationMs: 0,
      result: this.#shortResult(plan, done, state, step),
    });
  }

  /** A trigger is no step of its own: what it prints belongs to the FROM. */
  #emitStep(isTrigger: boolean, event: BuildProgress): void {
    if (!isTrigger) this.#session.emit(event);
  }

  /** Tells of the steps of a stage that nobody has needed: what takes from it is in the cache. */
  async reportUnneeded(): Promise<void> {
    const plan = await this.plan();
    const nothing: StageResult = { snapshot: plan.base.snapshot, results: [], ran: false };
    once(plan)();
    for (const planned of plan.own) this.#reportCached(planned, plan, nothing, 0);
  }

  #shortResult(plan: StagePlan, done: StageResult, state: PlannedStep['state'], step: BuildStep): string {
    const steps = plan.steps.slice(0, plan.steps.findIndex((planned) => planned.step === step) + 1);
    return shortResult(
      imageConfig({
        base: plan.base.config,
        steps,
        results: done.results,
        state,
        snapshot: done.snapshot,
        epoch: this.#session.epoch,
        startedAt: this.#session.startedAt,
        labels: {},
      }),
    );
  }
}

/** A stage whose FROM has triggers says when those are done; others have said it. */
function once({ own, finishFrom }: StagePlan): () => void {
  let told = !own.some(({ isTrigger }) => isTrigger);
  return () => {
    if (!told) finishFrom();
    told = true;
  };
}

function operationsOf(steps: readonly PlannedStep[]): readonly PlannedOperation[] {
  return steps.filter((step): step is PlannedOperation => step.operation !== undefined);
}

function withResults(base: Snapshot, results: readonly StepResult[]): Snapshot {
  return results.reduce((snapshot, { layer }) => (layer === undefined ? snapshot : onTopOf(snapshot, layer)), base);
}
