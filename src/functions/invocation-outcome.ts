import { timeoutMessage } from './platform-lines.ts';
import type { LaunchFailure } from './runtime-link.ts';
import type { SandboxExit } from './sandbox/index.ts';

/** How an invocation ended, before its report is made. */
export interface Outcome {
  readonly status: 'success' | 'error' | 'timeout';
  readonly payload: Uint8Array;
  /** `Runtime.ExitError`, … when the platform knows it. */
  readonly errorType?: string | undefined;
  /** The environment cannot be used again. */
  readonly broken?: boolean;
  /** A line for the function's log. */
  readonly logLine?: string | undefined;
}

export const emptyPayload: Uint8Array = new Uint8Array(0);

function failure(
  status: Outcome['status'],
  errorType: string,
  errorMessage: string,
  broken: boolean,
  logLine?: string,
): Outcome {
  return { status, payload: Buffer.from(JSON.stringify({ errorType, errorMessage })), errorType, broken, logLine };
}

/** Source: Lambda Developer Guide, "Troubleshoot execution issues in Lambda" and "Configure Lambda function timeout". */
export function timedOut(requestId: string, timeoutMs: number): Outcome {
  return failure('timeout', 'Sandbox.Timedout', `RequestId: ${requestId} Error: ${timeoutMessage(timeoutMs)}`, true);
}

/** The runtime ended while it should have answered. */
export function exited(requestId: string, exit: SandboxExit): Outcome {
  const errorType = exit.outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError';
  const message = `RequestId: ${requestId} Error: ${exitDescription(exit)}`;
  return failure('error', errorType, message, true, `${message}\n${errorType}\n`);
}

/** Its program could not be started. */
export function notLaunched(requestId: string, { errorType, message }: LaunchFailure): Outcome {
  const text = `RequestId: ${requestId} Error: ${message}`;
  return failure('error', errorType, text, true, `${text}\n${errorType}\n`);
}

export function exitDescription(exit: SandboxExit): string {
  if (exit.outOfMemory) return 'Runtime exited with error: signal: killed';
  if (exit.signal) return `Runtime exited with error: signal: ${signalName(exit.signal)}`;
  if (exit.code) return `Runtime exited with error: exit status ${exit.code}`;
  return 'Runtime exited without providing a reason';
}

/** Signals as Go prints them, which is what Lambda shows. */
function signalName(signal: string): string {
  const names: Readonly<Record<string, string>> = {
    SIGKILL: 'killed',
    SIGSEGV: 'segmentation fault',
    SIGABRT: 'aborted',
    SIGBUS: 'bus error',
    SIGTERM: 'terminated',
    SIGILL: 'illegal instruction',
    SIGFPE: 'floating point exception',
    SIGSYS: 'bad system call',
    SIGINT: 'interrupt',
  };
  return names[signal] ?? signal.toLowerCase();
}

export function tooLarge(limit: number): Outcome {
  return failure(
    'error',
    'Function.ResponseSizeTooLarge',
    `Response payload size exceeded maximum allowed payload size (${limit} bytes).`,
    false,
  );
}

/** The runtime broke the protocol between it and the engine. */
export function brokenRuntime(requestId: string, reason: string): Outcome {
  return failure('error', 'Runtime.Unknown', `RequestId: ${requestId} Error: ${reason}`, true, `${reason}\n`);
}

/** The `errorType` of an error object that came from inside a sandbox. */
export function errorTypeOf(payload: Uint8Array): string | undefined {
  if (payload.length > 1_000_000) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8'));
    const type = (value as { errorType?: unknown } | null)?.errorType;
    return typeof type === 'string' ? type.slice(0, 200) : undefined;
  } catch {
    return undefined;
  }
}
