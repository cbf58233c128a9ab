import type { Invocation, ResponseSink } from './engine.ts';
import type { Outcome } from './invocation-outcome.ts';
import type { Sandbox, SandboxExit } from './sandbox/index.ts';

/** A program that could not be started at all. */
export interface LaunchFailure {
  readonly kind: 'launch';
  readonly errorType: string;
  readonly message: string;
  /** For the function's log. */
  readonly line: string;
}

/** How an init phase ended. */
export type InitOutcome =
  | LaunchFailure
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly errorType: string; readonly payload: Uint8Array }
  | { readonly kind: 'exit'; readonly exit: SandboxExit }
  | { readonly kind: 'timeout' };

/** Why an environment ends. Source: Lambda Developer Guide, "Extensions API", "Shutdown phase". */
export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

/** The engine's connection to one runtime: ours over frames, or any over the Runtime API. */
export interface RuntimeLink {
  readonly sandbox: Sandbox;
  /** Resolves once every process inside has ended and its output was read. */
  readonly ended: Promise<SandboxExit>;
  /** Lets the runtime load the function. Resolves when it can serve, or has said why not. */
  initialise(): Promise<InitOutcome>;
  /** Passes an invocation on; `complete` is called once with how it ended, unless the process ends first. */
  invoke(
    sequence: number,
    invocation: Invocation,
    remainingMs: number,
    sink: ResponseSink | undefined,
    complete: (outcome: Outcome) => void,
  ): void;
  /** What a start that ended so is called, where that is more than an exit status. */
  describeExit?(exit: SandboxExit): LaunchFailure | undefined;
  /** What the runtime said before it ended, if it did. */
  lastWords(): Outcome | undefined;
  /** The invocation is over, however it ended: whatever comes for it now is dropped. */
  endInvocation(): void;
  /** Resolves when extensions are done with the invocation too; `undefined` when nothing is to be waited for. */
  settled(): Promise<void> | undefined;
  /** Ends it, politely where extensions want to be told. */
  shutdown(reason: ShutdownReason): void;
  /** Ends it at once. */
  kill(): void;
}
