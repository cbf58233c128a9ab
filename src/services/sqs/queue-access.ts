import type { MessageAttribute } from '../../events/index.ts';

/** A queue as its readers need to know it. */
export interface QueueDescription {
  readonly fifo: boolean;
  readonly visibilityTimeoutSeconds: number;
  /** The queue's own policy (JSON), if it has one. */
  readonly policy: string | undefined;
}

/** A message as it was received. */
export interface QueueMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  readonly md5OfMessageAttributes?: string | undefined;
  /** `ApproximateReceiveCount`, `SentTimestamp`, `AWSTraceHeader`, `MessageGroupId` … */
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
}

/** Queues for services that read them (Lambda's event source mappings), without the wire. */
export interface QueueAccess {
  /** `undefined` when there is no such queue. */
  describe(queueArn: string): Promise<QueueDescription | undefined>;
  /**
   * Up to `maximum` (1 to 10,000) messages, hidden from others for the queue's visibility timeout. Waits until there is at
   * least one, at most `waitMs` of the clock's time (unless told: without an end). Empty when the wait is over or the signal
   * was aborted before anything was received; what has been received is returned even when it is aborted meanwhile.
   * Throws QueueDoesNotExist.
   */
  receive(
    queueArn: string,
    options: {
      readonly maximum: number;
      readonly waitMs?: number;
      readonly signal: AbortSignal;
      /** The role in whose name a queue's KMS key is used. */
      readonly roleArn?: string;
    },
  ): Promise<readonly QueueMessage[]>;
  /** Deletes messages by their receipt handles; those that no longer hold are passed over. */
  delete(queueArn: string, receiptHandles: readonly string[]): Promise<void>;
  /** Hides messages for so long from now; 0 shows them at once. Those that are no longer in flight are passed over. */
  changeVisibility(queueArn: string, receiptHandles: readonly string[], seconds: number): Promise<void>;
  /** Messages visible now: how far pollers should scale. */
  backlog(queueArn: string): Promise<number>;
}
