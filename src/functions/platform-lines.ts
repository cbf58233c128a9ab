import type { InvocationReport, LoggingConfig } from './engine.ts';
import {
  initReportRecord,
  initStartRecord,
  reportRecord,
  runtimeDoneRecord,
  startRecord,
} from './telemetry/records.ts';

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
  /** An extension has become ready, or has failed. */
  extension(name: string, state: string, events: readonly string[], errorType?: string): string | undefined;
  /** An extension has subscribed to telemetry. */
  subscription(name: string, state: string, types: readonly string[]): string | undefined;
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
    extension: (name, state, events, errorType) =>
      `EXTENSION\tName: ${name}\tState: ${state}\tEvents: [${events.join(', ')}]` +
      `${errorType ? `\tError Type: ${errorType}` : ''}\n`,
    subscription: (name, state, types) =>
      `TELEMETRY\tName: ${name}\tState: ${state}\tTypes: [${types.map(capitalised).join(', ')}]\n`,
    start: (requestId) => `START RequestId: ${requestId} Version: ${context.functionVersion}\n`,
    timedOut: (requestId, timeoutMs) =>
      `${new Date(context.now()).toISOString()} ${requestId} ${timeoutMessage(timeoutMs)}\n\n`,
    finish: (requestId, report, trace, errorType) => [
      `END RequestId: ${requestId}\n`,
      textReport(requestId, report, trace, errorType),
    ],
  };
}

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
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
  return {
    initStart: () => line('INFO', 'platform.initStart', initStartRecord(context, 'init')),
    initReport: (phase, durationMs, status, errorType) =>
      line('INFO', 'platform.initReport', initReportRecord(context, phase, durationMs, status, errorType)),
    extension: (name, state, events, errorType) =>
      line('INFO', 'platform.extension', { name, state, events, ...(errorType ? { errorType } : {}) }),
    subscription: (name, state, types) => line('INFO', 'platform.telemetrySubscription', { name, state, types }),
    start: (requestId) => line('INFO', 'platform.start', startRecord(context, requestId, undefined)),
    timedOut: () => undefined,
    finish: (requestId, report, trace, errorType) => {
      const tracing = trace && ({ spanId: trace.segmentId, type: 'X-Amzn-Trace-Id', value: trace.traceId } as const);
      const response = { durationMs: report.durationMs, producedBytes: 0, spans: [] };
      const ended = { status: report.status, errorType };
      const done = line('DEBUG', 'platform.runtimeDone', runtimeDoneRecord(requestId, ended, tracing, response));
      const reported = line('INFO', 'platform.report', reportRecord(requestId, report, errorType, tracing));
      return [done, reported].filter((one) => one !== undefined);
    },
  };
}
