import type { Confinement } from '../../layers/confinement.ts';
import { FileSystemCalls } from '../../layers/file-system-calls.ts';
import { CopyError, type CopyPlan, type CopyResult, copyFiles } from './copy-files.ts';
import { InsidePathError } from './inside.ts';

/** Copying on another thread. */
export interface CopyTask {
  readonly kind: 'copy';
  readonly plan: CopyPlan;
}

/** `problem`: why it cannot be done, for the user. */
export type CopyOutcome = CopyResult | { readonly problem: string };

/** Copies; classes of errors do not survive the way between threads, so that a user's mistake is an answer. */
export function copyTask({ kernel }: Pick<Confinement, 'kernel'>, { plan }: Pick<CopyTask, 'plan'>): CopyOutcome {
  try {
    return copyFiles(plan, new FileSystemCalls(kernel));
  } catch (error) {
    if (error instanceof CopyError || error instanceof InsidePathError) return { problem: error.message };
    throw error;
  }
}
