/** The function engine's interface: what a service hands it and gets back. It knows nothing of the AWS wire. */

/** Everything that an environment is started from. A changed `revision` recycles the function's environments. */
export interface FunctionSpec {
  /** Qualified ARN as the context object shows it (`invokedFunctionArn` is per invocation). */
  readonly arn: string;
  readonly name: string;
  /** `$LATEST` or a version number. */
  readonly version: string;
  readonly account: string;
  readonly region: string;
  /** `nodejs22.x`, `python3.12`, `provided.al2023`, …; empty for an image. */
  readonly runtime: string;
  /** `index.handler`; for `provided` runtimes whatever the bootstrap makes of it. */
  readonly handler: string;
  readonly code: CodeLocation;
  /** Deployed as a container image: `code`, `runtime`, `handler` and `layers` are then empty. */
  readonly image?: FunctionImage;
  /** Unpacked layers, in the order they are laid over `/opt` (later wins). */
  readonly layers: readonly CodeLocation[];
  readonly environment: Readonly<Record<string, string>>;
  /** 128–10,240. */
  readonly memoryMb: number;
  readonly timeoutMs: number;
  /** 512–10,240: size of `/tmp`. */
  readonly ephemeralStorageMb: number;
  readonly roleArn: string;
  readonly logging: LoggingConfig;
  readonly tracing: 'Active' | 'PassThrough';
  readonly initializationType: 'on-demand' | 'provisioned-concurrency';
  /** Changes whenever code or configuration does. */
  readonly revision: string;
}

export interface CodeLocation {
  /** Absolute path of a directory that holds the unpacked code; mounted read-only. */
  readonly directory: string;
  /** Digest of the package; with the path, the key of the code cache. */
  readonly digest: string;
  /** Watch this directory and recycle environments when a file changes (`hot-reload`). */
  readonly hotReload?: boolean;
}

/** The image of a function, and what its function has instead of the image's own settings. */
export interface FunctionImage {
  /** The image's ID: `sha256:…`. */
  readonly id: string;
  readonly entryPoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly workingDirectory?: string | undefined;
}

/** File systems of images, for environments; implemented by the images of this machine. */
export interface ImageRoots {
  /**
   * The image's file system as a host directory that does not change, with empty directories `/proc`, `/dev`, `/tmp`,
   * `/run/kobune`, `/run/kobune-shell` and `/etc/kobune`, and files `/etc/hosts` and `/etc/resolv.conf`. The same for all who ask;
   * it stays until each has called `release`. Throws a ServiceError when the image is gone.
   */
  open(imageId: string): Promise<ImageRoot>;
}

export interface ImageRoot {
  readonly directory: string;
  readonly entryPoint: readonly string[];
  readonly command: readonly string[];
  /** `/` when the image says nothing. */
  readonly workingDirectory: string;
  /** `NAME=value` */
  readonly environment: readonly string[];
  /** No longer used by whoever has opened it. */
  release(): void;
}

export interface LoggingConfig {
  readonly format: 'Text' | 'JSON';
  readonly group: string;
  /** `TRACE` … `FATAL`; only for JSON. */
  readonly applicationLevel: string;
  /** `DEBUG` `INFO` `WARN`; only for JSON. */
  readonly systemLevel: string;
}

export interface Invocation {
  readonly requestId: string;
  readonly payload: Uint8Array;
  readonly invokedArn: string;
  /** `X-Amzn-Trace-Id` value, made by the caller when the client sent none. */
  readonly traceId: string;
  /** Decoded JSON of `X-Amz-Client-Context`. */
  readonly clientContext?: unknown;
  /** Return the last 4 KB of the log. */
  readonly tailLog?: boolean;
  /** The client has gone: the invocation still runs to its end (as on AWS); nobody reads the answer. */
  readonly signal?: AbortSignal;
}

export interface InvocationResult {
  readonly payload: Uint8Array;
  /** As the `X-Amz-Function-Error` header. */
  readonly functionError: 'Unhandled' | 'Handled' | undefined;
  /** Last 4 KB of the log, when asked for. */
  readonly logTail: Uint8Array | undefined;
  readonly report: InvocationReport;
}

/** What the REPORT line says. Milliseconds and megabytes. */
export interface InvocationReport {
  readonly durationMs: number;
  readonly billedDurationMs: number;
  readonly memorySizeMb: number;
  readonly maxMemoryUsedMb: number;
  /** Only on the first invocation of an on-demand environment. */
  readonly initDurationMs: number | undefined;
  readonly status: 'success' | 'error' | 'timeout';
}

/** Receives a streamed answer (`awslambda.streamifyResponse`, or a custom runtime in streaming mode). */
export interface ResponseSink {
  /** Gets the prelude of an HTTP answer as the runtime wrote it, before the body, instead of taken off and read. */
  readonly rawPrelude?: boolean;
  /** Called once, before the first byte. `contentType` is the runtime's. */
  start(metadata: { readonly contentType: string; readonly prelude?: StreamPrelude }): void;
  /** Resolves when more may be written. */
  write(chunk: Uint8Array): Promise<void>;
}

/** `awslambda.HttpResponseStream.from(stream, metadata)`. */
export interface StreamPrelude {
  readonly statusCode?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly string[];
}

export interface FunctionEngine {
  /**
   * Runs one invocation to its end in an idle or new environment. Rejects only when the engine itself cannot run it
   * (no memory left on the machine, runtime not installed: ServiceError); a failing handler is a result.
   */
  invoke(spec: FunctionSpec, invocation: Invocation): Promise<InvocationResult>;
  /** Like `invoke`, the answer's bytes going to `sink` as they come; the result's payload is then empty, or the error. */
  invokeStreaming(spec: FunctionSpec, invocation: Invocation, sink: ResponseSink): Promise<InvocationResult>;
  /** Keeps `count` initialised environments for this spec (provisioned concurrency); resolves when they are ready. */
  provision(spec: FunctionSpec, count: number): Promise<void>;
  /** Lets running invocations of other revisions of this unqualified ARN and version end, then stops their environments. */
  retire(arn: string, keepRevision?: string): void;
  /** Compile caches and the like, made when code is deployed rather than when it is first called. */
  prepare(spec: FunctionSpec): Promise<void>;
  status(): EngineStatus;
  close(): Promise<void>;
}

export interface EngineStatus {
  readonly environments: readonly EnvironmentStatus[];
  readonly poolSizes: Readonly<Record<string, number>>;
}

export interface EnvironmentStatus {
  readonly id: string;
  readonly functionArn: string;
  readonly state: 'starting' | 'idle' | 'busy' | 'stopping';
  readonly memoryUsedMb: number;
  readonly startedAt: number;
}

/** Where functions' log lines go; implemented by CloudWatch Logs. */
export interface FunctionLogs {
  /**
   * Appends events, in order, creating group and stream when needed. Does not wait for the disk. A returned promise says
   * when it is willing to take more: a function that floods its log is held back until then.
   */
  append(
    account: string,
    region: string,
    group: string,
    stream: string,
    events: readonly LogLine[],
  ): void | Promise<void>;
}

export interface LogLine {
  /** Epoch ms. */
  readonly timestamp: number;
  readonly message: string;
}

/** Temporary credentials for a function's execution role; implemented by STS. */
export interface RoleCredentials {
  credentialsFor(roleArn: string, sessionName: string, region: string): Promise<TemporaryCredentials>;
}

export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch ms. */
  readonly expiration: number;
}
