import { generateMaterial, wrapMaterial } from './key-material.ts';
import { managedKeyPolicy } from './key-policy.ts';
import { specInfo } from './key-specs.ts';
import { type AliasRecord, aliasKey, type KeyPlace, type KeyRecord, keyKey } from './records.ts';
import type { KmsState, Where } from './state.ts';

const DAY_MS = 86_400_000;
/** AWS managed keys are rotated each year. Source: KMS Developer Guide, "Rotate AWS KMS keys". */
const MANAGED_ROTATION_DAYS = 365;

/** Services with a managed key, and what the key says it is for. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  acm: 'Default key that protects my ACM private keys when no other key is defined',
  backup: 'Default key that protects my Backup vaults when no other key is defined',
  dynamodb: 'Default key that protects my DynamoDB data when no other key is defined',
  ebs: 'Default key that protects my EBS volumes when no other key is defined',
  elasticfilesystem: 'Default key that protects my EFS filesystems when no other key is defined',
  es: 'Default key that protects my Elasticsearch data when no other key is defined',
  events: 'Default key that protects my EventBridge connections when no other key is defined',
  kinesis: 'Default key that protects my Kinesis data when no other key is defined',
  lambda: 'Default key that protects my Lambda functions when no other key is defined',
  rds: 'Default key that protects my RDS database volumes when no other key is defined',
  redshift: 'Default key that protects my Redshift clusters when no other key is defined',
  s3: 'Default key that protects my S3 objects when no other key is defined',
  secretsmanager: 'Default key that protects my Secrets Manager data when no other key is defined',
  sns: 'Default key that protects my SNS data when no other key is defined',
  sqs: 'Default key that protects my SQS messages when no other key is defined',
  ssm: 'Default key that protects my SSM parameters when no other key is defined',
  xray: 'Default key that protects my X-Ray data when no other key is defined',
};

/** The service that an alias like `alias/aws/ssm` is of; `undefined` when there is no such managed key. */
export function managedKeyService(alias: string): string | undefined {
  const service = alias.startsWith('alias/aws/') ? alias.slice('alias/aws/'.length) : undefined;
  return service !== undefined && Object.hasOwn(DESCRIPTIONS, service) ? service : undefined;
}

/** The account's managed key of a service; made with its alias when this is the first use. */
export async function useManagedKey(state: KmsState, where: Where, service: string): Promise<KeyPlace> {
  const { account, region } = where;
  const place = { account, region, id: state.random.uuid() };
  const now = state.clock.now();
  const bytes = await generateMaterial(specInfo('SYMMETRIC_DEFAULT').material, state.random);
  const record: KeyRecord = {
    ...place,
    creationDate: now,
    description: DESCRIPTIONS[service]!,
    spec: 'SYMMETRIC_DEFAULT',
    usage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    manager: 'AWS',
    enabled: true,
    policy: managedKeyPolicy(service, where),
    tags: {},
    materials: [{ ...wrapMaterial(state.root, place, bytes), state: 'CURRENT' }],
    rotation: { periodInDays: MANAGED_ROTATION_DAYS, next: now + MANAGED_ROTATION_DAYS * DAY_MS },
  };
  const name = `alias/aws/${service}`;
  const id = await state.store.transact(async (transaction) => {
    const other = await transaction.get<AliasRecord>(aliasKey(account, region, name));
    if (other) return other.value.keyId;
    const alias: AliasRecord = { name, keyId: place.id, creationDate: now, lastUpdatedDate: now };
    transaction.put(aliasKey(account, region, name), alias);
    transaction.put(keyKey(place), record);
    return place.id;
  });
  if (id === place.id) state.dueDates.consider(record);
  return { account, region, id };
}
