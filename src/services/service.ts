import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** Who makes a request, as STS GetCallerIdentity would tell. */
export interface Principal {
  readonly type: 'Root' | 'User' | 'AssumedRole' | 'Anonymous' | 'Service';
  readonly account: string;
  /** `arn:aws:iam::…:user/x`, `arn:aws:sts::…:assumed-role/role/session`, … ; `*` for Anonymous. */
  readonly arn: string;
  /** `AIDA…`, `AROA…:session`, the account id for Root. */
  readonly userId: string;
  readonly accessKeyId: string | undefined;
  /** For an assumed role: the role's own ARN. */
  readonly roleArn?: string;
  /** Inline session policy given to AssumeRole. */
  readonly sessionPolicy?: string;
  /** Session tags given to AssumeRole: condition keys `aws:PrincipalTag/…`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** For type Service: `s3.amazonaws.com`, … */
  readonly service?: string;
  /** For type Service: the resource that it acts for: condition keys `aws:SourceArn` and `aws:SourceAccount`. */
  readonly source?: { readonly arn: string; readonly account: string };
}

/** What a service knows about the request besides its input. */
export interface RequestContext {
  readonly service: string;
  readonly operation: string;
  readonly account: string;
  readonly region: string;
  readonly requestId: string;
  readonly principal: Principal;
  readonly sourceIp: string;
  readonly userAgent: string;
  /** True over TLS. */
  readonly secure: boolean;
  readonly headers: IncomingHttpHeaders;
  /** Host and port that the client used, e.g. `127.0.0.1:4566`; for answers that carry addresses. */
  readonly host: string;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Headers to send besides those that the output's shape binds. */
  readonly responseHeaders: Record<string, string>;
}

/**
 * A streamed request body (`Body` of PutObject, UploadPart …): `aws-chunked` framing already removed, its checksum
 * and chunk signatures verified while it flows (a mismatch destroys the stream with a ServiceError).
 */
export interface RequestBody extends Readable {
  /** Length of the decoded body in bytes, when the client told. */
  readonly contentLength: number | undefined;
  /** Trailing headers (lower case), complete once the stream has ended. */
  readonly trailers: Readonly<Record<string, string>>;
}

/** One API operation, named as the vendor names it. Throws ServiceError. */
export type Operation<Input = never, Output = unknown> = (input: Input, context: RequestContext) => Promise<Output>;

/** One IAM question that a request raises. */
export interface AuthorizationRequest {
  /** `s3:PutObject` */
  readonly action: string;
  /** ARN of what it acts on, or `*`. */
  readonly resource: string;
  /** Condition keys with their values, e.g. `{ 's3:prefix': ['photos/'] }`. */
  readonly conditions?: Readonly<Record<string, readonly string[]>>;
  /** The resource's own policy document (JSON), if it has one. */
  readonly resourcePolicy?: string | undefined;
  /** Account that owns the resource; the caller's when not told. */
  readonly resourceAccount?: string;
  /** The resource's policy must allow it, also inside the account: keys of KMS. */
  readonly resourcePolicyDecides?: boolean;
}

/** A service as the wire sees it. */
export interface AwsService {
  /** Its signing name and room: `s3`, `lambda`, `sqs`, `logs`, `sts`, `iam`. */
  readonly name: string;
  readonly operations: Readonly<Record<string, Operation>>;
  /** Operations of the SDK that are refused by name, each with the reason and what to use instead. */
  readonly refused: Readonly<Record<string, string>>;
  /** What IAM must allow before the operation runs (enforce mode). Default: `<service>:<Operation>` on `*`. */
  authorization?(operation: string, input: never, context: RequestContext): Promise<readonly AuthorizationRequest[]>;
  /** Answers a browser's `OPTIONS` request. A service without it answers that CORS is not enabled. */
  preflight?(request: PreflightRequest): Promise<PreflightAnswer>;
  close?(): Promise<void>;
}

/** A browser asks whether it may send a request to another origin. */
export interface PreflightRequest {
  /** For S3: the bucket, and the key below it if there is one. */
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export interface PreflightAnswer {
  readonly headers: Readonly<Record<string, string>>;
}
