import type { FunctionSpec, ImageRoot } from './engine.ts';
import type { EnvironmentLog } from './environment-log.ts';
import { type Launcher, startTimeoutMs } from './launcher.ts';
import type { PlatformLines } from './platform-lines.ts';
import type { InitOutcome } from './runtime-link.ts';
import type { RuntimeProcess } from './runtime-process.ts';
import type { RuntimeIdentity } from './runtimes/catalogue.ts';
import type { Interpreter } from './runtimes/installed.ts';
import type { Bind } from './sandbox/index.ts';
import type { EnvironmentTelemetry } from './telemetry/environment-telemetry.ts';

/** What an environment's runtime is started from, each time that it is. */
export interface EnvironmentPlan {
  readonly spec: FunctionSpec;
  readonly runtime: RuntimeIdentity;
  /** None for custom runtimes. */
  readonly interpreter: Interpreter | undefined;
  /** Only of a function that is deployed as one. */
  readonly image: ImageRoot | undefined;
  readonly variables: Record<string, string>;
  readonly log: EnvironmentLog;
  readonly lines: PlatformLines;
  readonly telemetry: EnvironmentTelemetry | undefined;
}

/** Where the function's code is, as the inside sees it. */
export function taskRoot(launcher: Launcher, spec: FunctionSpec): string {
  return launcher.mounts || spec.image ? '/var/task' : spec.code.directory;
}

export function functionBinds(launcher: Launcher, spec: FunctionSpec, opt: string | undefined): Bind[] {
  if (!launcher.mounts) return [];
  const binds: Bind[] = [{ source: spec.code.directory, target: '/var/task', readOnly: true }];
  if (opt) binds.push({ source: opt, target: '/opt', readOnly: true });
  return binds;
}

/** What a runtime of ours is told to become. One that was started with its variables keeps them: a wrapper may have changed them. */
export function runtimeSettings(
  launcher: Launcher,
  plan: {
    readonly spec: FunctionSpec;
    readonly runtime: RuntimeIdentity;
    readonly variables: Record<string, string> | undefined;
    readonly opt: string | undefined;
  },
): object {
  const { spec, runtime } = plan;
  return {
    sdkDirectory: launcher.sdkDirectory(),
    optRoot: launcher.mounts ? '/opt' : (plan.opt ?? '/opt'),
    environment: plan.variables,
    handler: spec.handler,
    taskRoot: taskRoot(launcher, spec),
    logFormat: spec.logging.format,
    logLevel: spec.logging.format === 'JSON' ? spec.logging.applicationLevel : undefined,
    runtimeMajor: runtime.version,
    runtimeMinor: runtime.version,
  };
}

/** What the function's own variables or wrapper can spoil is the function's error, not the engine's. */
export async function whenReady(process: RuntimeProcess): Promise<InitOutcome | undefined> {
  try {
    await process.whenReady(startTimeoutMs);
    return undefined;
  } catch {
    return { kind: 'exit', exit: await process.ended };
  }
}
