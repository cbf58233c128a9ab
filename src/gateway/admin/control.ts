import type { AuthorityFiles } from '../certificates/authority.ts';

/** What the admin API can ask of the running program; wired in main.ts. */
export interface Control {
  status(): Promise<InstanceStatus>;
  clock(): ClockState;
  /** Moves or freezes time, and keeps that across restarts. */
  adjustClock(change: ClockChange): Promise<ClockState>;
  /** Deletes the state of one service, or of all. Throws a ServiceError for a name that is not served. */
  reset(service: string | undefined): Promise<void>;
  /** Log lines of functions, oldest first; with `follow`, the ones to come until `signal` is aborted. */
  logs(query: LogQuery, signal: AbortSignal): AsyncIterable<LogEntry>;
  /** What would have left for mail servers, phones and mobile devices. */
  readonly outgoing: Outgoing;
  certificates(): Promise<AuthorityFiles>;
  /** Begins to stop; answers before it has. */
  shutdown(): void;
}

export interface InstanceStatus {
  readonly pid: number;
  readonly version: string;
  readonly endpoint: string;
  /** Absolute path; `undefined` when nothing is kept. */
  readonly dataDirectory: string | undefined;
  /** Epoch ms of the machine's clock. */
  readonly startedAt: number;
  readonly iam: 'off' | 'enforce';
  readonly clock: ClockState;
  readonly memoryBytes: number;
  readonly services: readonly string[];
  /** Environments that exist now. */
  readonly environments: readonly {
    readonly id: string;
    readonly functionArn: string;
    readonly state: string;
    readonly memoryUsedMb: number;
  }[];
  /** Containers that run now. They go on when Kobune ends, unless nothing is kept. */
  readonly containers: number;
  /** Booted runtimes that wait for a function, by runtime. */
  readonly pools: Readonly<Record<string, number>>;
  /** What this machine cannot do, and what is lost by it. */
  readonly missing: readonly string[];
}

export interface ClockState {
  /** ISO 8601. */
  readonly now: string;
  readonly offsetMs: number;
  readonly frozen: boolean;
}

export interface ClockChange {
  readonly advanceMs?: number;
  readonly frozen?: boolean;
}

export interface LogQuery {
  readonly account: string;
  readonly region: string;
  readonly group: string;
  /** Epoch ms; lines before it are left out. */
  readonly since: number | undefined;
  readonly filter: string | undefined;
  readonly follow: boolean;
}

export interface LogEntry {
  /** Epoch ms. */
  readonly timestamp: number;
  readonly stream: string;
  readonly message: string;
}

/** What functions and topics sent to people and devices: kept here instead. */
export interface Outgoing {
  /** The newest that match, oldest first. */
  list(query: OutgoingQuery, limit: number): Promise<readonly OutgoingMessage[]>;
  /** The newest that match, then those that come, until the signal is aborted. */
  follow(query: OutgoingQuery, limit: number, signal: AbortSignal): AsyncIterable<OutgoingMessage>;
  /** Deletes those that match; resolves to their number. */
  clear(query: OutgoingQuery): Promise<number>;
}

export type OutgoingKind = 'email' | 'sms' | 'push';

export interface OutgoingQuery {
  readonly account: string;
  readonly region: string | undefined;
  readonly kind: OutgoingKind | undefined;
  readonly to: string | undefined;
}

export interface OutgoingMessage {
  readonly id: number;
  readonly account: string;
  readonly region: string;
  readonly kind: OutgoingKind;
  readonly to: string;
  readonly from?: string | undefined;
  readonly subject?: string | undefined;
  readonly body: string;
  /** Epoch ms. */
  readonly time: number;
  /** Confirms a subscription when visited. */
  readonly confirmationUrl?: string | undefined;
}
