import type { ReplicationStatusType } from '@aws-sdk/client-secrets-manager';
import type { ReplicaRecord, SecretRecord } from './records.ts';
import { rulesOutput } from './rotation/schedule.ts';
import { tagList } from './tags.ts';

const dateOf = (time: number | undefined) => (time === undefined ? undefined : new Date(time));

/** What DescribeSecret and ListSecrets tell of a secret alike. */
export function detailsOutput(name: string, region: string, secret: SecretRecord) {
  const { rotation } = secret;
  return {
    ARN: secret.arn,
    Name: name,
    Description: secret.description,
    KmsKeyId: secret.kmsKeyId,
    RotationEnabled: rotation?.enabled,
    RotationLambdaARN: rotation?.functionArn,
    RotationRules: rotation && rulesOutput(rotation),
    LastRotatedDate: dateOf(rotation?.last),
    LastChangedDate: new Date(secret.changed),
    LastAccessedDate: dateOf(secret.accessed),
    DeletedDate: dateOf(secret.deletion?.at),
    NextRotationDate: rotation?.enabled ? dateOf(rotation.window?.end) : undefined,
    Tags: tagList(secret.tags),
    CreatedDate: new Date(secret.created),
    PrimaryRegion: secret.replicaOf ?? (secret.replicas.length > 0 ? region : undefined),
  };
}

export function replicationOutput(replicas: readonly ReplicaRecord[]): ReplicationStatusType[] {
  return replicas.map(({ region, kmsKeyId, status, message }) => ({
    Region: region,
    KmsKeyId: kmsKeyId ?? 'alias/aws/secretsmanager',
    Status: status,
    StatusMessage: message,
  }));
}
