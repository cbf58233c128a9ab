import type { MessageAttribute } from '../../events/index.ts';
import type { Key } from '../../store/index.ts';
import type { QueueName } from './names.ts';

/** What a queue is configured to do; names and units as the API has them. */
export interface QueueSettings {
  readonly delaySeconds: number;
  readonly maximumMessageSize: number;
  readonly messageRetentionPeriod: number;
  readonly receiveMessageWaitTimeSeconds: number;
  readonly visibilityTimeout: number;
  readonly policy?: string | undefined;
  readonly redrivePolicy?: RedrivePolicy | undefined;
  readonly redriveAllowPolicy?: RedriveAllowPolicy | undefined;
  readonly kmsMasterKeyId?: string | undefined;
  readonly kmsDataKeyReusePeriodSeconds?: number | undefined;
  readonly sqsManagedSseEnabled?: boolean | undefined;
  /** FIFO queues only, as are the next two. */
  readonly contentBasedDeduplication?: boolean;
  readonly deduplicationScope?: 'queue' | 'messageGroup';
  readonly fifoThroughputLimit?: 'perQueue' | 'perMessageGroupId';
}

export interface RedrivePolicy {
  readonly deadLetterTargetArn: string;
  readonly maxReceiveCount: number;
}

export interface RedriveAllowPolicy {
  readonly redrivePermission: 'allowAll' | 'denyAll' | 'byQueue';
  readonly sourceQueueArns?: readonly string[];
}

export interface QueueRecord extends QueueName {
  /** Told apart from an earlier queue of the same name: part of the keys of its messages. */
  readonly id: string;
  /** Epoch ms. */
  readonly created: number;
  readonly modified: number;
  readonly settings: QueueSettings;
  readonly tags: Readonly<Record<string, string>>;
  /** Epoch ms of the last PurgeQueue. */
  readonly purged?: number;
}

/** The data key by which a body is encrypted. */
export interface SealingKey {
  readonly ciphertext: Uint8Array;
  /** ARN of the queue it was sent to: the encryption context. It stays when the message is moved. */
  readonly queueArn: string;
}

/** A message as it was sent. It does not change while it is in its queue. */
export interface MessageRecord {
  readonly messageId: string;
  /** Encrypted bytes, by `key` or without one by SQS's own; text where a queue's encryption is off. */
  readonly body: string | Uint8Array;
  readonly key?: SealingKey | undefined;
  readonly md5OfBody: string;
  readonly messageAttributes?: Readonly<Record<string, MessageAttribute>> | undefined;
  readonly senderId: string;
  /** Epoch ms. */
  readonly sent: number;
  /** Epoch ms before which it is not received. */
  readonly delayedUntil?: number | undefined;
  readonly traceHeader?: string | undefined;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  /** For a message that was moved here: the queue that it came from. */
  readonly deadLetterSource?: string | undefined;
  /** Receives before it was moved here. */
  readonly receivesBefore?: number | undefined;
  /** Which one it is of those that were committed together; 0 unless told. */
  readonly position?: number | undefined;
}

/** What has happened to a message since. */
export interface ReceiptRecord {
  readonly count: number;
  /** Epoch ms of the first receive. */
  readonly first: number;
  /** Epoch ms of the last receive. */
  readonly last: number;
  /** Epoch ms until which it is hidden. */
  readonly visibleAt: number;
  /** Tells the last receive's handle from earlier ones. */
  readonly nonce: number;
}

/** A send that must not have an effect twice. */
export interface DeduplicationRecord {
  readonly messageId: string;
  /** The message's own: with the revision of this record, its sequence number. */
  readonly position: number;
  /** Epoch ms. */
  readonly until: number;
}

/** Messages that are no longer in a queue but still on disk. */
export interface RemainsRecord {
  /** Up to this place; all when there is none. */
  readonly upTo?: number;
}

/** Messages of a dead-letter queue on their way back. */
export interface MoveTaskRecord {
  readonly id: string;
  readonly source: QueueName;
  /** To where they came from unless told. */
  readonly destination: QueueName | undefined;
  readonly perSecond: number | undefined;
  readonly status: 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';
  readonly moved: number;
  readonly toMove: number;
  /** Epoch ms. */
  readonly started: number;
  readonly failure?: string;
}

const ROOT = 'sqs';

export const keys = {
  managedKey: (): Key => [ROOT, 'managed-key'],
  queues: (account: string, region: string): Key => [ROOT, 'queue', account, region],
  queue: ({ account, region, name }: QueueName): Key => [ROOT, 'queue', account, region, name],
  /** When a queue of this name was deleted. */
  deleted: ({ account, region, name }: QueueName): Key => [ROOT, 'deleted', account, region, name],
  messages: (id: string): Key => [ROOT, 'message', id],
  message: (id: string, place: number): Key => [ROOT, 'message', id, place],
  receipts: (id: string): Key => [ROOT, 'receipt', id],
  receipt: (id: string, place: number): Key => [ROOT, 'receipt', id, place],
  deduplications: (id: string): Key => [ROOT, 'deduplication', id],
  deduplication: (id: string, scope: string, deduplicationId: string): Key => [
    ROOT,
    'deduplication',
    id,
    scope,
    deduplicationId,
  ],
  remains: (): Key => [ROOT, 'remains'],
  remainsOf: (id: string): Key => [ROOT, 'remains', id],
  moveTasks: ({ account, region, name }: QueueName): Key => [ROOT, 'move', account, region, name],
  moveTask: ({ account, region, name }: QueueName, started: number, id: string): Key => [
    ROOT,
    'move',
    account,
    region,
    name,
    started,
    id,
  ],
  allMoveTasks: (): Key => [ROOT, 'move'],
};
