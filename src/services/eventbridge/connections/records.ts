import type {
  ApiDestinationHttpMethod,
  ConnectionAuthorizationType,
  ConnectionAuthResponseParameters,
  ConnectionState,
  CreateConnectionAuthRequestParameters,
} from '@aws-sdk/client-eventbridge';
import type { Place } from '../records.ts';

/** What a connection authorizes with, secret values included. */
export type Credentials = CreateConnectionAuthRequestParameters;

/** Credentials, encrypted by a data key that a KMS key has encrypted. */
export interface SealedCredentials {
  readonly dataKey: Uint8Array;
  readonly content: Uint8Array;
}

export interface ConnectionRecord {
  readonly name: string;
  readonly id: string;
  readonly description?: string | undefined;
  readonly type: ConnectionAuthorizationType;
  /** The parameters without secret values; none once it was deauthorized. */
  readonly shown?: ConnectionAuthResponseParameters | undefined;
  readonly sealed?: SealedCredentials | undefined;
  readonly kmsKey?: string | undefined;
  readonly state: ConnectionState;
  readonly reason?: string | undefined;
  /** Whoever gave the parameters is on this machine, so its endpoints may be, too. */
  readonly local: boolean;
  /** Counts the changes of the parameters. */
  readonly generation: number;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly authorizedAt?: number | undefined;
}

export interface DestinationRecord {
  readonly name: string;
  readonly id: string;
  readonly description?: string | undefined;
  readonly connectionArn: string;
  readonly endpoint: string;
  readonly method: ApiDestinationHttpMethod;
  readonly ratePerSecond: number;
  /** Whoever named the endpoint is on this machine, so it may be, too. */
  readonly local: boolean;
  readonly createdAt: number;
  readonly modifiedAt: number;
}

export function connectionArn({ account, region }: Place, { id, name }: Pick<ConnectionRecord, 'id' | 'name'>): string {
  return `arn:aws:events:${region}:${account}:connection/${name}/${id}`;
}

export function destinationArn(
  { account, region }: Place,
  { id, name }: Pick<DestinationRecord, 'id' | 'name'>,
): string {
  return `arn:aws:events:${region}:${account}:api-destination/${name}/${id}`;
}
