import { constraint, limitExceeded } from './errors.ts';
import type { SecretRecord, VersionRecord } from './records.ts';

export const CURRENT = 'AWSCURRENT';
export const PREVIOUS = 'AWSPREVIOUS';
export const PENDING = 'AWSPENDING';

/** Source: Secrets Manager User Guide, "AWS Secrets Manager quotas". */
const MAX_VERSIONS = 100;
const MAX_STAGES = 20;
const KEPT_MS = 24 * 3600_000;

type Versions = SecretRecord['versions'];

export function versionWith(versions: Versions, stage: string): string | undefined {
  return Object.entries(versions).find(([, { stages }]) => stages.includes(stage))?.[0];
}

/** API Reference, "PutSecretValue", `VersionStages`: 1–20, each of 1–256 characters. */
export function checkStages(stages: readonly string[]): readonly string[] {
  if (stages.length < 1 || stages.length > MAX_STAGES || stages.some(({ length }) => length < 1 || length > 256)) {
    throw constraint(
      stages,
      'versionStages',
      `Member must have length between 1 and ${MAX_STAGES}, and its members between 1 and 256`,
    );
  }
  return [...new Set(stages)];
}

/**
 * Attaches staging labels to a version, and takes them from the versions that had them. With `AWSCURRENT` goes
 * `AWSPREVIOUS`, to the version that was the current one. Throws LimitExceededException.
 */
export function moveStages(versions: Versions, target: string, stages: readonly string[]): Versions {
  const current = versionWith(versions, CURRENT);
  const moved = stages.reduce((all, stage) => attach(all, stage, target), versions);
  if (!stages.includes(CURRENT) || current === undefined || current === target) return moved;
  return attach(moved, PREVIOUS, current);
}

/** Takes a staging label away from a version. */
export function detach(versions: Versions, stage: string, from: string): Versions {
  const version = versions[from]!;
  return { ...versions, [from]: { ...version, stages: version.stages.filter((each) => each !== stage) } };
}

function attach(versions: Versions, stage: string, target: string): Versions {
  const owner = versionWith(versions, stage);
  if (owner === target) return versions;
  const without = owner === undefined ? versions : detach(versions, stage, owner);
  const version = without[target]!;
  if (version.stages.length >= MAX_STAGES) {
    throw limitExceeded(`A version of a secret can have at most ${MAX_STAGES} staging labels.`);
  }
  return { ...without, [target]: { ...version, stages: [...version.stages, stage] } };
}

/**
 * What stays when there are more than 100 versions: those without a staging label go, oldest first, unless they were made
 * in the last 24 hours. Throws LimitExceededException when there are still too many.
 */
export function tidy(versions: Versions, now: number): { readonly kept: Versions; readonly gone: readonly string[] } {
  const surplus = Object.keys(versions).length - MAX_VERSIONS;
  if (surplus <= 0) return { kept: versions, gone: [] };
  const gone = Object.entries(versions)
    .filter(([, { stages, created }]) => stages.length === 0 && now - created >= KEPT_MS)
    .sort(([, a], [, b]) => a.created - b.created)
    .slice(0, surplus)
    .map(([id]) => id);
  if (gone.length < surplus) {
    throw limitExceeded(
      `A secret can have at most ${MAX_VERSIONS} versions. Versions without a staging label are removed when they are 24 hours old.`,
    );
  }
  return { kept: Object.fromEntries(Object.entries(versions).filter(([id]) => !gone.includes(id))), gone };
}

/** Versions by id with their labels, without those that have none. */
export function stagesByVersion(versions: Versions): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(versions).flatMap(([id, { stages }]) => (stages.length === 0 ? [] : [[id, [...stages]]])),
  );
}

export function emptyVersion(created: number): VersionRecord {
  return { created, stages: [] };
}
