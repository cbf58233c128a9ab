import type { InvocationReport, LoggingConfig } from './engine.ts';

/**
 * The lines that the platform itself writes into a function's log. Sources: Lambda Developer Guide, "Sending Lambda
 * function logs to CloudWatch Logs" (text) and "Lambda Telemetry API Event schema reference" (JSON).
 */
export interface PlatformLines {
  initStart(): string | undefined;
  /** Only written for an initialisation that failed. */
  initReport(
    phase: 'init' | 'invoke',
    durationMs: number,
    status: 'error' | 'timeout',
    errorType: string,
  ): string | undefined;
  start(requestId: string): string | undefined;
  /** The line before END when time ran out. */
  timedOut(requestId: string, timeoutMs: number): string | undefined;
  /** END and REPORT. */
  finish(
    requestId: string,
    report: InvocationReport,
    trace: TraceFields | undefined,
    errorType: string | undefined,
  ): readonly string[];
}

export interface TraceFields {
  readonly traceId: string;
  readonly segmentId: string;
}

export interface LineContext {
  readonly runtimeVersion: string;
  readonly runtimeVersionArn: string;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly initializationType: string;
  readonly now: () => number;
}

const systemLevels: Readonly<Record<string, number>> = { DEBUG: 0, INFO: 1, WARN: 2 };

export function platformLines(logging: LoggingConfig, context: LineContext): PlatformLines {
  return logging.format === 'JSON' ? jsonLines(logging, context) : textLines(context);
}

/** `Task timed out after 3.00 seconds` */
export function timeoutMessage(timeoutMs: number): string {
  return `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`;
}

function textLines(context: LineContext): PlatformLines {
  return {
    initStart: () =>
      `INIT_START Runtime Version: ${context.runtimeVersion}\tRuntime Version ARN: ${context.runtimeVersionArn}\n`,
    initReport: (phase, durationMs, status, errorType) =>
      `INIT_REPORT Init Duration: ${durationMs.toFixed(2)} ms\tPhase: ${phase}\tStatus: ${status}` +
      `${status === 'error' ? `\tError Type: ${errorType}` : ''}\n`,
    start: (requestId) => `START RequestId: ${requestId} Version: ${context.functionVersion}\n`,
    timedOut: (requestId, timeoutMs) =>
      `${new Date(context.now()).toISOString()} ${requestId} ${timeoutMessage(timeoutMs)}\n\n`,
    finish: (requestId, report, trace, errorType) => [
      `END RequestId: ${requestId}\n`,
      textReport(requestId, report, trace, errorType),
    ],
  };
}

function textReport(
  requestId: string,
  report: InvocationReport,
  trace: TraceFields | undefined,
  errorType: string | undefined,
): string {
  let line =
    `REPORT RequestId: ${requestId}\tDuration: ${report.durationMs.toFixed(2)} ms\tBilled Duration: ` +
    `${report.billedDurationMs} ms\tMemory Size: ${report.memorySizeMb} MB\tMax Memory Used: ${report.maxMemoryUsedMb} MB\t`;
  if (report.initDurationMs !== undefined) line += `Init Duration: ${report.initDurationMs.toFixed(2)} ms\t`;
  // An error that the handler merely threw is not the platform's to report.
  if (report.status === 'timeout') line += 'Status: timeout';
  else if (report.status === 'error' && errorType?.startsWith('Runtime.')) {
    line += `Status: error\tError Type: ${errorType}`;
  }
  line += '\n';
  if (trace) line += `XRAY TraceId: ${trace.traceId}\tSegmentId: ${trace.segmentId}\tSampled: true\t\n`;
  return line;
}

function jsonLines(logging: LoggingConfig, context: LineContext): PlatformLines {
  const threshold = systemLevels[logging.systemLevel] ?? 1;
  const line = (level: keyof typeof systemLevels, type: string, record: object): string | undefined =>
    (systemLevels[level] ?? 1) < threshold
      ? undefined
      : `${JSON.stringify({ time: new Date(context.now()).toISOString(), type, record })}\n`;
  const metrics = (report: InvocationReport) => ({
    durationMs: Number(report.durationMs.toFixed(3)),
    billedDurationMs: report.billedDurationMs,
    memorySizeMB: report.memorySizeMb,
    maxMemoryUsedMB: report.maxMemoryUsedMb,
    ...(report.initDurationMs === undefined ? {} : { initDurationMs: Number(report.initDurationMs.toFixed(3)) }),
  });
  return {
    initStart: () =>
      line('INFO', 'platform.initStart', {
        initializationType: context.initializationType,
        phase: 'init',
        runtimeVersion: context.runtimeVersion,
        runtimeVersionArn: context.runtimeVersionArn,
        functionName: context.functionName,
        functionVersion: context.functionVersion,
      }),
    initReport: (phase, durationMs, status, errorType) =>
      line('INFO', 'platform.initReport', {
        initializationType: context.initializationType,
        phase,
        status,
        errorType,
        metrics: { durationMs: Number(durationMs.toFixed(3)) },
      }),
    start: (requestId) => line('INFO', 'platform.start', { requestId, version: context.functionVersion }),
    timedOut: () => undefined,
    finish: (requestId, report, trace, errorType) => {
      const failed = report.status !== 'success';
      const status = report.status === 'error' && !errorType?.startsWith('Runtime.') ? 'failure' : report.status;
      const tracing = trace && { spanId: trace.segmentId, type: 'X-Amzn-Trace-Id', value: trace.traceId };
      const done = line('DEBUG', 'platform.runtimeDone', {
        requestId,
        status,
        ...(failed && errorType ? { errorType } : {}),
        ...(tracing ? { tracing } : {}),
        metrics: { durationMs: Number(report.durationMs.toFixed(3)), producedBytes: 0 },
      });
      const reported = line('INFO', 'platform.report', {
        requestId,
        metrics: metrics(report),
        status: failed ? status : 'success',
        ...(failed && errorType ? { errorType } : {}),
        ...(tracing ? { tracing } : {}),
      });
      return [done, reported].filter((one) => one !== undefined);
    },
  };
}
