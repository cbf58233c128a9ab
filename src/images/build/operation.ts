import type { Root } from '../roots.ts';
import type { KeyParts } from './cache/cache-keys.ts';
import type { SourceTree } from './copy/source-tree.ts';
import type { Snapshot } from './stages/snapshot.ts';

/** File systems that a stage takes files from: another stage, or an image. */
export interface FileSystemSource {
  /** `stage builder`, `image busybox:latest`. */
  readonly label: string;
  /** Names what it is made by, without making it. */
  definition(): Promise<string>;
  /** Makes it, or finds it made. */
  snapshot(): Promise<Snapshot>;
  /** Its files, mounted as long as the build goes on. */
  tree(): Promise<SourceTree>;
}

/** What the result of an instruction depends on, besides the files before it. */
export interface OperationParts {
  readonly parts: KeyParts;
  /** Digests of the files that it takes, by path, for explaining a miss. */
  files(): ReadonlyMap<string, string>;
}

/** An instruction that changes files. */
export interface Operation {
  /** Stages and images that it takes files from. */
  readonly sources: readonly FileSystemSource[];
  /** The result does not depend on the files before it (`COPY --link`). */
  readonly independent: boolean;
  /** By how the files it takes are made: known without making them. */
  definition(): Promise<OperationParts>;
  /** By the contents of the files that it takes, all of which are there. */
  content(): Promise<OperationParts>;
  /** Does it. */
  execute(root: Root, step: ExecutingStep): Promise<ExecutedOperation>;
}

export interface ExecutedOperation {
  /** Directories that are as they were although something was made in them for a while. */
  readonly unchanged: readonly string[];
  /** Files changed while they were copied: the result is not put into the cache. */
  readonly changed: readonly string[];
}

export interface ExecutingStep {
  readonly signal: AbortSignal;
  output(stream: 'stdout' | 'stderr', bytes: Uint8Array): void;
}
