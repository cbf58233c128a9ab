import type { Readable } from 'node:stream';
import type { MessageAttribute } from '../../events/index.ts';
import type { RequestContext } from '../service.ts';

/** What Lambda needs of other services; main.ts connects them. */

export interface ObjectLocation {
  readonly account: string;
  readonly region: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string | undefined;
}

/** Objects in S3: deployment packages. Throws S3's own ServiceErrors. */
export interface ObjectAccess {
  read(location: ObjectLocation): Promise<{ readonly body: Readable; readonly size: number }>;
}

/** An image that was pulled for a function. */
export interface PulledImage {
  /** `sha256:…`: what the engine and `hold` know it by. */
  readonly id: string;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Of its layers, uncompressed, bytes. */
  readonly size: number;
}

/** An image, as a function names it. */
export interface ImageName {
  /** The registry, and the repository's name in it; `undefined` for an image from elsewhere. */
  readonly ecr: { readonly account: string; readonly region: string; readonly name: string } | undefined;
  /** The repository's complete name. */
  readonly repository: string;
  /** The repository with the tag or digest. */
  readonly reference: string;
}

/** For which function an image is read, and who deploys it. */
export interface ImageUse {
  readonly functionArn: string;
  /** The function's. */
  readonly account: string;
  readonly region: string;
  readonly context: RequestContext;
}

/** Images as functions' code; implemented by the images of this machine. */
export interface FunctionImages {
  /**
   * Finds the image at its registry, pulls it and holds it. Throws ServiceErrors: of status 404 (it is not there), 403 and 401 (it
   * may not be read), `MultiPlatformImage`, and others of images.
   */
  resolve(image: ImageName, use: ImageUse): Promise<PulledImage>;
  /** Keeps it from being deleted; survives a restart. Idempotent. Throws a ServiceError of status 404 when it is gone. */
  hold(id: string): Promise<void>;
  letGo(id: string): Promise<void>;
  /** IDs of all that are held. */
  held(): Promise<readonly string[]>;
}

/** Execution roles; implemented by IAM. */
export interface RoleCheck {
  /** True when the role exists and its trust policy lets `lambda.amazonaws.com` assume it. */
  assumableByLambda(roleArn: string): Promise<boolean>;
}

/** A queue as an event source needs to know it. */
export interface EventQueue {
  readonly fifo: boolean;
  readonly visibilityTimeoutSeconds: number;
  /** The queue's own policy (JSON), if it has one. */
  readonly policy: string | undefined;
}

/** A message as it was received. */
export interface EventMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly md5OfBody: string;
  readonly md5OfMessageAttributes?: string | undefined;
  /** `ApproximateReceiveCount`, `SentTimestamp`, `AWSTraceHeader`, `MessageGroupId` … */
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, MessageAttribute>>;
}

/** Queues as event sources; implemented by SQS. */
export interface EventQueues {
  /** `undefined` when there is no such queue. */
  describe(queueArn: string): Promise<EventQueue | undefined>;
  /**
   * Up to `maximum` messages, hidden from others for the queue's visibility timeout; waits until there is at least one.
   * Empty when the signal was aborted first. Throws the service's error when the queue is gone.
   */
  receive(
    queueArn: string,
    options: {
      readonly maximum: number;
      readonly signal: AbortSignal;
      /** The role in whose name the queue's key is used, when its messages are encrypted. */
      readonly roleArn?: string;
    },
  ): Promise<readonly EventMessage[]>;
  /** Deletes messages by their receipt handles; those that no longer hold are passed over. */
  delete(queueArn: string, receiptHandles: readonly string[]): Promise<void>;
}
