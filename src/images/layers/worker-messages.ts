import type { Task } from './tasks.ts';

export type WorkerRequest =
  | { readonly id: number; readonly kind: 'run'; readonly task: Task }
  /** One more piece of what the task reads; none: that was all. */
  | { readonly id: number; readonly kind: 'piece'; readonly bytes: Uint8Array | undefined };

/** An error on its way between threads, which its class does not survive. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

export type WorkerReply =
  | { readonly id: number; readonly kind: 'progress'; readonly bytes: number }
  /** The task has worked off a piece. */
  | { readonly id: number; readonly kind: 'taken' }
  /** A piece of what the task writes. */
  | { readonly id: number; readonly kind: 'piece'; readonly bytes: Uint8Array }
  | { readonly id: number; readonly kind: 'done'; readonly result: unknown }
  | { readonly id: number; readonly kind: 'failed'; readonly error: SentError };

/** What a task has to do with the thread that asked for it. */
export interface TaskChannel {
  progress(bytes: number): void;
  /** Hands a piece over, which then belongs to the other thread; waits while too many are on their way. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** The pieces that the other thread hands over. */
  pieces(): AsyncIterable<Uint8Array>;
}
