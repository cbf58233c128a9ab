/** An attribute of a message, as SQS and SNS have it. Source: SQS API Reference, "MessageAttributeValue". */
export interface MessageAttribute {
  /** `String`, `Number` or `Binary`, with an optional custom label: `Number.int`. */
  readonly dataType: string;
  readonly stringValue?: string;
  readonly binaryValue?: Uint8Array;
}

/** What a target is told besides the payload. A kind of target reads its own members and ignores the rest. */
export interface TargetParameters {
  /** SQS, SNS. */
  readonly messageAttributes?: Readonly<Record<string, MessageAttribute>>;
  /** SQS FIFO queues and SNS FIFO topics. */
  readonly messageGroupId?: string;
  readonly messageDeduplicationId?: string;
  /** SNS, e-mail. */
  readonly subject?: string;
  /** HTTP(S); header names in lower case. */
  readonly http?: {
    /** `POST` unless told. */
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** The endpoint may be on this machine: whoever configured it is, too. */
    readonly local?: boolean;
    /** Statuses that are worth another try, besides 429 and 5xx. */
    readonly retried?: readonly number[];
    /** Gives up after this long; 15 s unless told. */
    readonly timeoutMs?: number;
  };
  /** S3: the object to write. */
  readonly object?: { readonly key: string; readonly contentType?: string };
}

/** String attributes from a plain record. */
export function stringAttributes(values: Readonly<Record<string, string>>): Record<string, MessageAttribute> {
  return Object.fromEntries(
    Object.entries(values).map(([name, stringValue]) => [name, { dataType: 'String', stringValue }]),
  );
}
