import type { RegistryAuth } from '../images.ts';
import type { Platform } from '../oci.ts';

/** The files that COPY and ADD take: a directory of this machine, filtered by its `.dockerignore`. */
export interface BuildContext {
  /** Absolute path. Nothing outside of it can be reached by a build, also not through links. */
  readonly directory: string;
  /** It is there for one build only: nothing about its files is kept for later builds. */
  readonly temporary?: boolean;
}

export interface CacheLocation {
  readonly type: 'registry' | 'local';
  /** Reference, or absolute path of a folder. */
  readonly target: string;
  /** `max`: also the steps of stages that are not in the result. */
  readonly mode?: 'min' | 'max';
}

export interface BuildOptions {
  readonly context: BuildContext;
  /** Text of the Dockerfile, and the name by which messages call it. */
  readonly dockerfile: { readonly text: string; readonly name: string };
  /** Text of the `.dockerignore` to use instead of the context's own (`NAME.dockerignore`). */
  readonly ignore?: string;
  readonly tags: readonly string[];
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly platform?: Platform;
  readonly noCache?: boolean;
  /** Look for newer base images. */
  readonly pull?: boolean;
  readonly network?: 'default' | 'none' | 'host';
  readonly extraHosts?: readonly string[];
  readonly shmSizeBytes?: number;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  /** Contents by id, for `RUN --mount=type=secret`. */
  readonly secrets?: ReadonlyMap<string, Uint8Array>;
  /** Agent sockets by id, for `RUN --mount=type=ssh`. */
  readonly ssh?: ReadonlyMap<string, string>;
  readonly cacheFrom?: readonly CacheLocation[];
  readonly cacheTo?: readonly CacheLocation[];
  /** Epoch seconds; also taken from the build argument `SOURCE_DATE_EPOCH`. */
  readonly sourceDateEpoch?: number;
  readonly auth?: (registry: string) => RegistryAuth | undefined;
  readonly onProgress?: (event: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

/** What a build says while it works. A step is one instruction of one stage. */
export type BuildProgress =
  | { readonly kind: 'step'; readonly step: BuildStep; readonly state: 'started' }
  | {
      readonly kind: 'step';
      readonly step: BuildStep;
      readonly state: 'done';
      readonly cached: boolean;
      /** Why the cache had nothing: `first build`, `the instruction changed`, `a parent step ran`, `file src/a.ts changed`, … */
      readonly miss?: string;
      readonly durationMs: number;
      /** Short ID of the intermediate result, as Docker's classic builder prints it. */
      readonly result: string;
    }
  | {
      readonly kind: 'output';
      readonly step: BuildStep;
      readonly stream: 'stdout' | 'stderr';
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'transfer';
      readonly step?: BuildStep;
      readonly id?: string;
      readonly status: string;
      readonly current?: number;
      readonly total?: number;
    }
  | { readonly kind: 'warning'; readonly rule?: string; readonly line?: number; readonly message: string };

export interface BuildStep {
  /** From 1, over all stages that are built, in the order of the file. */
  readonly number: number;
  readonly total: number;
  /** Name or number of the stage. */
  readonly stage: string;
  /** The instruction as it was written, joined to one line. */
  readonly text: string;
  /** Line in the Dockerfile, from 1. */
  readonly line: number;
}

export interface BuildResult {
  readonly imageId: string;
  readonly tags: readonly string[];
}

/** A problem of the Dockerfile or of a step, with the place. `code`: `DockerfileError` (400), `BuildFailed` (a RUN that failed; `exitCode`), … */
export interface BuildErrorPlace {
  readonly file: string;
  readonly line: number;
  /** The lines of the instruction, as they were written. */
  readonly excerpt: string;
  readonly exitCode?: number;
}

export interface CacheUsage {
  readonly id: string;
  readonly description: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms. */
  readonly created: number;
  readonly lastUsed: number;
  readonly uses: number;
  readonly inUse: boolean;
  readonly type: 'regular' | 'exec.cachemount';
}

/** Builds images from Dockerfiles. Throws `ServiceError` whose `members.place` is a {@link BuildErrorPlace} where there is one. */
export interface Builder {
  build(options: BuildOptions): Promise<BuildResult>;
  cacheUsage(): Promise<readonly CacheUsage[]>;
  /** Forgets cached steps (and cache mounts with `all`); answers what went. */
  pruneCache(options?: {
    readonly all?: boolean;
    readonly until?: number;
    readonly keepBytes?: number;
  }): Promise<{ readonly ids: readonly string[]; readonly bytes: number }>;
  close(): Promise<void>;
}
