import type { Writable } from 'node:stream';
import type { Root } from '../roots.ts';

/** A mount of a build step. */
export type StepMount =
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes?: number };

/** A command of a Dockerfile's RUN. */
export interface Step {
  readonly id: string;
  readonly root: Root;
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** Looked up in the root's `/etc/passwd` and `/etc/group`. */
  readonly user: string;
  readonly mounts: readonly StepMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly extraHosts: readonly string[];
  readonly shmSizeBytes?: number;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly security?: 'sandbox';
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal?: AbortSignal;
}

/** Runs build steps in containers; implemented by the container engine. */
export interface StepRunner {
  /** Resolves with the exit code once every process has ended and its output was written. Rejects when it could not be started, or was aborted. */
  run(step: Step): Promise<{ readonly exitCode: number; readonly signal?: string }>;
}
