import type { Readable } from 'node:stream';
import type { AuthorizationRequest } from '../service.ts';

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

/** Execution roles; implemented by IAM. */
export interface RoleCheck {
  /** True when the role exists and its trust policy lets `lambda.amazonaws.com` assume it. */
  assumableByLambda(roleArn: string): Promise<boolean>;
  /** True when a session of the role may do what the request asks. */
  allows(roleArn: string, sessionName: string, request: AuthorizationRequest, region: string): Promise<boolean>;
}
