import type { Invocation, InvocationReport } from '../engine.ts';
import type { LineContext, TraceFields } from '../platform-lines.ts';

/**
 * The records of platform events, which extensions get and which JSON logs hold. Source: Lambda Developer Guide,
 * "Lambda Telemetry API Event schema reference".
 */

export type InitPhase = 'init' | 'invoke';
export type Status = 'success' | 'failure' | 'error' | 'timeout';

/** The spans and sizes of an answer, as far as they are known. */
export interface ResponseMetrics {
  readonly durationMs: number;
  readonly producedBytes: number;
  readonly spans: readonly Span[];
}

export interface Span {
  readonly name: string;
  readonly start: string;
  readonly durationMs: number;
}

export interface Tracing {
  readonly spanId: string;
  readonly type: 'X-Amzn-Trace-Id';
  readonly value: string;
}

/** How an invocation ended. */
export interface Ended {
  readonly status: InvocationReport['status'];
  readonly errorType?: string | undefined;
}

/** Milliseconds as events carry them: three digits after the point at most. */
export function milliseconds(duration: number): number {
  return Number(duration.toFixed(3));
}

/** An error that the handler threw is a failure; what befell the runtime is an error. */
export function statusOf(status: InvocationReport['status'], errorType: string | undefined): Status {
  return status === 'error' && !errorType?.startsWith('Runtime.') ? 'failure' : status;
}

function endOf({ status, errorType }: Ended): object {
  return { status: statusOf(status, errorType), ...(status !== 'success' && errorType ? { errorType } : {}) };
}

export function initStartRecord(context: LineContext, phase: InitPhase): object {
  return {
    initializationType: context.initializationType,
    phase,
    runtimeVersion: context.runtimeVersion,
    runtimeVersionArn: context.runtimeVersionArn,
    functionName: context.functionName,
    functionVersion: context.functionVersion,
  };
}

export function initRuntimeDoneRecord(
  context: LineContext,
  phase: InitPhase,
  status: Status,
  errorType: string | undefined,
): object {
  return { initializationType: context.initializationType, phase, status, ...(errorType ? { errorType } : {}) };
}

export function initReportRecord(
  context: LineContext,
  phase: InitPhase,
  durationMs: number,
  status: Status,
  errorType: string | undefined,
): object {
  return {
    initializationType: context.initializationType,
    phase,
    status,
    ...(errorType ? { errorType } : {}),
    metrics: { durationMs: milliseconds(durationMs) },
  };
}

export function startRecord(context: LineContext, requestId: string, tracing: Tracing | undefined): object {
  return { requestId, version: context.functionVersion, ...(tracing ? { tracing } : {}) };
}

export function runtimeDoneRecord(
  requestId: string,
  outcome: Ended,
  tracing: Tracing | undefined,
  response: ResponseMetrics,
): object {
  return {
    requestId,
    ...endOf(outcome),
    ...(tracing ? { tracing } : {}),
    ...(response.spans.length > 0 ? { spans: response.spans } : {}),
    metrics: { durationMs: milliseconds(response.durationMs), producedBytes: response.producedBytes },
  };
}

export function reportRecord(
  requestId: string,
  report: InvocationReport,
  errorType: string | undefined,
  tracing: Tracing | undefined,
): object {
  return {
    requestId,
    metrics: {
      durationMs: milliseconds(report.durationMs),
      billedDurationMs: report.billedDurationMs,
      memorySizeMB: report.memorySizeMb,
      maxMemoryUsedMB: report.maxMemoryUsedMb,
      ...(report.initDurationMs === undefined ? {} : { initDurationMs: milliseconds(report.initDurationMs) }),
    },
    ...endOf({ status: report.status, errorType }),
    ...(tracing ? { tracing } : {}),
  };
}

/** The trace that an event belongs to, in a function that is traced. */
export function tracingOf(invocation: Invocation, trace: TraceFields | undefined): Tracing | undefined {
  return trace && { spanId: trace.segmentId, type: 'X-Amzn-Trace-Id', value: invocation.traceId };
}
