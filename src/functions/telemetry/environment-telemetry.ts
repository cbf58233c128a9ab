import type { Clock } from '../../base/clock.ts';
import type { Invocation, InvocationReport, ResponseSink } from '../engine.ts';
import type { Outcome } from '../invocation-outcome.ts';
import type { LineContext, TraceFields } from '../platform-lines.ts';
import type { Connect } from './destination.ts';
import {
  type InitPhase,
  initReportRecord,
  initRuntimeDoneRecord,
  initStartRecord,
  milliseconds,
  reportRecord,
  runtimeDoneRecord,
  type Span,
  type Status,
  startRecord,
  type Tracing,
  tracingOf,
} from './records.ts';
import { Subscriber } from './subscriber.ts';
import { parseSubscription, type TelemetryType } from './subscription.ts';

/** Kept for those that subscribe while the environment initialises. */
const maxEarlyEvents = 1_000;
const maxEarlyBytes = 256 * 1024;

interface EarlyEvent {
  readonly time: string;
  readonly kind: TelemetryType;
  readonly type: string;
  readonly record: unknown;
}

/** What is measured of one invocation for its events. */
interface Measured {
  readonly startedAt: number;
  readonly startTime: number;
  readonly tracing: Tracing | undefined;
  firstByteAt: number | undefined;
  bytes: number;
  done: boolean;
}

/** Subscriptions are taken in the init phase only. */
export class SubscriptionClosed extends Error {}

/**
 * The telemetry of one environment that has extensions, for those of them that subscribe. While nobody does, an
 * invocation costs nothing. Source: Lambda Developer Guide, "Accessing real-time telemetry data for extensions using
 * the Telemetry API".
 */
export class EnvironmentTelemetry {
  readonly #clock: Clock;
  readonly #context: LineContext;
  readonly #jsonLogs: boolean;
  readonly #subscribers = new Map<string, Subscriber>();
  #early: EarlyEvent[] | undefined;
  #earlyBytes = 0;
  #phase: InitPhase = 'init';
  #runtimeDone = false;
  #measured: Measured | undefined;

  constructor(clock: Clock, context: LineContext, jsonLogs: boolean) {
    this.#clock = clock;
    this.#context = context;
    this.#jsonLogs = jsonLogs;
  }

  /** Somebody listens, or may yet subscribe and get what has happened. */
  get active(): boolean {
    return this.#early !== undefined || this.#subscribers.size > 0;
  }

  /** A runtime and its extensions are started: earlier subscribers have ended with theirs. */
  initStart(phase: InitPhase): void {
    this.close();
    this.#early = [];
    this.#earlyBytes = 0;
    this.#phase = phase;
    this.#runtimeDone = false;
    this.#emit('platform', 'platform.initStart', initStartRecord(this.#context, phase));
  }

  /** The runtime has asked for its first event, or has failed. Told once. */
  initRuntimeDone(status: Status, errorType?: string): void {
    if (this.#runtimeDone) return;
    this.#runtimeDone = true;
    this.#emit(
      'platform',
      'platform.initRuntimeDone',
      initRuntimeDoneRecord(this.#context, this.#phase, status, errorType),
    );
  }

  /** The init phase is over; no more subscriptions. */
  initReport(durationMs: number, status: Status, errorType?: string): void {
    this.initRuntimeDone(status, errorType);
    this.#emit(
      'platform',
      'platform.initReport',
      initReportRecord(this.#context, this.#phase, durationMs, status, errorType),
    );
    this.#early = undefined;
  }

  /**
   * Subscribes an extension; a second time replaces the first. Answers the state and the types, as the log line tells
   * them. Throws {@link SubscriptionClosed} and `InvalidSubscription`.
   */
  subscribe(name: string, body: Buffer, connect: Connect): { state: string; types: readonly TelemetryType[] } {
    if (!this.#early) throw new SubscriptionClosed();
    const subscription = parseSubscription(body);
    const known = this.#subscribers.get(name);
    known?.close();
    const subscriber = new Subscriber(subscription, this.#clock, connect);
    if (!known) for (const event of this.#early) this.#give(subscriber, event);
    this.#subscribers.set(name, subscriber);
    const { types } = subscription;
    const state = known ? 'Already subscribed' : 'Subscribed';
    this.#emit('platform', 'platform.telemetrySubscription', { name, state, types });
    return { state, types };
  }

  extension(name: string, state: string, events: readonly string[], errorType?: string): void {
    if (!this.active) return;
    this.#emit('platform', 'platform.extension', { name, state, events, ...(errorType ? { errorType } : {}) });
  }

  /** A line of the function's log, or of an extension's. */
  line(kind: 'function' | 'extension', text: string): void {
    if (!this.active) return;
    this.#emit(kind, kind, text.endsWith('\n') ? text.slice(0, -1) : text);
  }

  start(invocation: Invocation, trace: TraceFields | undefined): void {
    this.#measured = undefined;
    if (this.#subscribers.size === 0) return;
    const tracing = tracingOf(invocation, trace);
    this.#measured = {
      startedAt: performance.now(),
      startTime: this.#clock.now(),
      tracing,
      firstByteAt: undefined,
      bytes: 0,
      done: false,
    };
    this.#emit('platform', 'platform.start', startRecord(this.#context, invocation.requestId, tracing));
  }

  /** The same sink; it is looked at as bytes pass when somebody listens. */
  measure(sink: ResponseSink): ResponseSink {
    const measured = this.#measured;
    if (!measured) return sink;
    return {
      ...(sink.rawPrelude ? { rawPrelude: true } : {}),
      start: (metadata) => {
        measured.firstByteAt ??= performance.now();
        sink.start(metadata);
      },
      write: (chunk) => {
        measured.bytes += chunk.length;
        return sink.write(chunk);
      },
    };
  }

  /** The runtime is done with the invocation; extensions may still work. */
  runtimeDone(invocation: Invocation, durationMs: number, outcome: Outcome): void {
    const measured = this.#measured;
    if (!measured || measured.done) return;
    measured.done = true;
    const producedBytes = measured.bytes || outcome.payload.length;
    this.#emit(
      'platform',
      'platform.runtimeDone',
      runtimeDoneRecord(invocation.requestId, outcome, measured.tracing, {
        durationMs,
        producedBytes,
        spans: spansOf(measured, outcome),
      }),
    );
  }

  report(invocation: Invocation, report: InvocationReport, outcome: Outcome): void {
    const measured = this.#measured;
    if (!measured) return;
    this.runtimeDone(invocation, report.durationMs, outcome);
    this.#measured = undefined;
    this.#emit(
      'platform',
      'platform.report',
      reportRecord(invocation.requestId, report, outcome.errorType, measured.tracing),
    );
  }

  /** Sends what is gathered now: the environment ends. */
  async flush(): Promise<void> {
    await Promise.all([...this.#subscribers.values()].map((one) => one.flush()));
  }

  close(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.close();
    this.#subscribers.clear();
    this.#early = undefined;
  }

  #emit(kind: TelemetryType, type: string, record: unknown): void {
    if (!this.active) return;
    const event: EarlyEvent = { time: new Date(this.#clock.now()).toISOString(), kind, type, record };
    for (const subscriber of this.#subscribers.values()) this.#give(subscriber, event);
    if (!this.#early) return;
    this.#earlyBytes += typeof record === 'string' ? 2 * record.length : 1_024;
    if (this.#early.length < maxEarlyEvents && this.#earlyBytes < maxEarlyBytes) this.#early.push(event);
  }

  #give(subscriber: Subscriber, event: EarlyEvent): void {
    if (!subscriber.wants(event.kind)) return;
    const { time, kind, type } = event;
    let { record } = event;
    // Lines in JSON are objects since the second version of the schema.
    if (kind === 'function' && this.#jsonLogs && subscriber.subscription.schemaVersion !== '2022-07-01') {
      record = parsedLine(record as string);
    }
    subscriber.add(JSON.stringify({ time, type, record }));
  }
}

function parsedLine(line: string): unknown {
  if (!line.startsWith('{')) return line;
  try {
    return JSON.parse(line);
  } catch {
    return line;
  }
}

function spansOf({ startedAt, startTime, firstByteAt }: Measured, outcome: Outcome): Span[] {
  if (outcome.status === 'timeout' || outcome.broken) return [];
  const now = performance.now();
  const latencyMs = (firstByteAt ?? now) - startedAt;
  return [
    { name: 'responseLatency', start: new Date(startTime).toISOString(), durationMs: milliseconds(latencyMs) },
    {
      name: 'responseDuration',
      start: new Date(startTime + latencyMs).toISOString(),
      durationMs: milliseconds(now - (firstByteAt ?? now)),
    },
  ];
}
