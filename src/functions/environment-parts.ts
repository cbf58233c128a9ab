import type { FunctionSpec } from './engine.ts';
import type { Environment } from './environment.ts';
import type { EnvironmentLog } from './environment-log.ts';
import type { PlatformLines } from './platform-lines.ts';
import type { RuntimeLink } from './runtime-link.ts';
import type { EnvironmentTelemetry } from './telemetry/environment-telemetry.ts';

export interface EnvironmentHost {
  /** Clock time, epoch ms. */
  now(): number;
  /** Hex digits for a trace segment. */
  segmentId(): string;
  /** The environment has become idle. */
  onIdle(environment: Environment): void;
  /** It has ended and is gone for good. */
  onGone(environment: Environment): void;
}

export interface EnvironmentParts {
  /** What it uses and shares with others: let go when it has ended. */
  readonly release?: (() => void) | undefined;
  readonly id: string;
  readonly spec: FunctionSpec;
  readonly log: EnvironmentLog;
  readonly lines: PlatformLines;
  /** Only where extensions may subscribe. */
  readonly telemetry: EnvironmentTelemetry | undefined;
  readonly host: EnvironmentHost;
  /** Starts a runtime for this environment; called again when its initialisation has failed. */
  connect(): Promise<Connection>;
}

/** A runtime that has booted. */
export interface Connection {
  readonly link: RuntimeLink;
  /** `performance.now()` when its boot began, after it had to wait for others. */
  readonly begunAt: number;
}
