import { hash } from 'node:crypto';
import type { HistoryEntry, ImageConfig } from '../../oci.ts';
import type { StepResult } from '../cache/step-records.ts';
import type { Snapshot } from './snapshot.ts';
import type { PlannedStep } from './stage-plan.ts';
import type { StageState } from './stage-state.ts';

/** What an image says of who wrote its history. */
const COMMENT = 'kobune.dockerfile.v0';

export interface ImageConfigInput {
  readonly base: ImageConfig | undefined;
  /** Instructions since the base, those of parent stages first. */
  readonly steps: readonly PlannedStep[];
  /** What each instruction that changes files did, in the same order. */
  readonly results: readonly StepResult[];
  readonly state: StageState;
  readonly snapshot: Snapshot;
  /** Epoch seconds. */
  readonly epoch: number | undefined;
  /** For an image that nothing was done upon: epoch ms. */
  readonly startedAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The configuration of what was built. An instruction without files has the time of the one before it, so that a build which changes
 * nothing makes the very same image. Source: OCI Image Configuration; BuildKit has times this way.
 */
export function imageConfig(input: ImageConfigInput): ImageConfig {
  const { base, state, snapshot, epoch, labels } = input;
  const clamp = (time: string) => (epoch === undefined ? time : earlier(time, new Date(epoch * 1000).toISOString()));
  let time = clamp(base?.created ?? new Date(input.startedAt).toISOString());
  if (base === undefined) {
    const [first] = input.results;
    if (first !== undefined) time = clamp(new Date(first.created).toISOString());
  }
  const results = [...input.results];
  const history: HistoryEntry[] = [...(base?.history ?? [])];
  for (const { createdBy, operation } of input.steps) {
    const result = operation === undefined ? undefined : results.shift();
    if (result !== undefined) time = clamp(new Date(result.created).toISOString());
    const empty = result?.layer === undefined;
    history.push({ created: time, created_by: createdBy, comment: COMMENT, ...(empty ? { empty_layer: true } : {}) });
  }
  const { platform, author, run } = state;
  const { variant } = platform;
  return {
    created: time,
    ...(author === undefined ? {} : { author }),
    architecture: platform.architecture,
    os: platform.os,
    ...(variant === undefined ? {} : { variant }),
    ...(platform['os.version'] === undefined ? {} : { 'os.version': platform['os.version'] }),
    config: withLabels(run, labels),
    rootfs: { type: 'layers', diff_ids: snapshot.layers.map(({ diffId }) => diffId) },
    history,
  };
}

function withLabels(run: StageState['run'], labels: Readonly<Record<string, string>>): StageState['run'] {
  const all = { ...run.Labels, ...labels };
  const named = Object.keys(all).length === 0 ? run : { ...run, Labels: all };
  // What was taken away is not written at all.
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined && value !== null));
}

function earlier(a: string, b: string): string {
  return Date.parse(a) <= Date.parse(b) ? a : b;
}

/** Short name of what there is after a step, as Docker's classic builder prints it. */
export function shortResult(config: ImageConfig): string {
  return hash('sha256', JSON.stringify(config), 'hex').slice(0, 12);
}
