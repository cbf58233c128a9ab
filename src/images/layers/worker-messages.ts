import type { Task } from './tasks.ts';

export interface WorkerRequest {
  readonly id: number;
  readonly task: Task;
}

/** An error on its way between threads, which its class does not survive. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

export type WorkerReply =
  | { readonly id: number; readonly kind: 'progress'; readonly bytes: number }
  | { readonly id: number; readonly kind: 'done'; readonly result: unknown }
  | { readonly id: number; readonly kind: 'failed'; readonly error: SentError };
