import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import { inRegion } from './names.ts';
import {
  ALL_SECRETS,
  type ReplicaRecord,
  type SecretPlace,
  type SecretRecord,
  secretKey,
  type ValueRecord,
  type VersionRecord,
  valueKey,
} from './records.ts';
import { eraseSecret, type SecretsState, saveSecret } from './state.ts';
import { ownerOf, readValue, seal, type ValueUser } from './values.ts';

/** A secret of another origin has the name already. */
const NAME_TAKEN = 'Secret with this name already exists in this region';

/**
 * Brings the replicas of a secret up to date: values, labels, description, tags and policy. Each is a secret of its own
 * region, encrypted with a key of that region. Source: Secrets Manager User Guide, "Replicate AWS Secrets Manager secrets
 * across Regions".
 */
export async function replicate(
  state: SecretsState,
  place: SecretPlace,
  user: ValueUser,
  { overwrite = false }: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const primary = (await state.store.get<SecretRecord>(secretKey(place)))?.value;
  if (!primary || primary.replicas.length === 0) return;
  const results = new Map<string, Pick<ReplicaRecord, 'status' | 'message'>>();
  for (const replica of primary.replicas) {
    results.set(replica.region, await replicateTo(state, place, replica, user, overwrite));
  }
  await state.store.transact(async (transaction) => {
    const secret = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
    if (secret?.arn !== primary.arn) return;
    const replicas = secret.replicas.map(({ region, kmsKeyId, ...before }) => ({
      region,
      kmsKeyId,
      ...(results.get(region) ?? before),
    }));
    saveSecret(state, transaction, place, { ...secret, replicas }, secret);
  });
}

/** Replicas whose primary was changed just before a crash. */
export async function replicateAll(state: SecretsState): Promise<void> {
  for (const { key, value } of await state.store.range<SecretRecord>({ prefix: ALL_SECRETS })) {
    if (value.replicas.length === 0) continue;
    const [account, region, name] = key.slice(ALL_SECRETS.length) as [string, string, string];
    await replicate(state, { account, region, name }, ownerOf(account, region));
  }
}

/** Begins anew when the primary is changed meanwhile, so that an older state never follows a newer one. */
async function replicateTo(
  state: SecretsState,
  place: SecretPlace,
  replica: ReplicaRecord,
  user: ValueUser,
  overwrite: boolean,
): Promise<Pick<ReplicaRecord, 'status' | 'message'>> {
  try {
    for (;;) {
      const snapshot = await state.store.get<SecretRecord>(secretKey(place));
      if (!snapshot) return { status: 'Failed', message: 'The primary secret is gone.' };
      const arn = inRegion(snapshot.value.arn, replica.region);
      const values = await sealedFor(state, snapshot.value, { arn, kmsKeyId: replica.kmsKeyId }, user, place);
      const result = await state.store.transact(async (transaction) => {
        const now = await transaction.get<SecretRecord>(secretKey(place));
        if (now?.modRevision !== snapshot.modRevision) return undefined;
        return writeReplica(state, transaction, place, snapshot.value, { ...replica, arn, values, overwrite });
      });
      if (result) return result;
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { status: 'Failed', message: error.message };
  }
}

interface Sealed {
  /** `undefined`: the replica has it. */
  readonly value: ValueRecord | undefined;
  readonly keyArn: string;
}

/** The values for a replica; those that it has already are not made again. */
async function sealedFor(
  state: SecretsState,
  primary: SecretRecord,
  replica: Pick<SecretRecord, 'arn' | 'kmsKeyId'>,
  user: ValueUser,
  place: SecretPlace,
): Promise<ReadonlyMap<string, Sealed>> {
  const region = replica.arn.split(':')[3]!;
  const there = (await state.store.get<SecretRecord>(secretKey({ ...place, region })))?.value;
  const isSame = there?.arn === replica.arn && there.kmsKeyId === replica.kmsKeyId;
  const sealed = new Map<string, Sealed>();
  for (const [id, { keyArn }] of Object.entries(primary.versions)) {
    if (keyArn === undefined) continue;
    const had = isSame ? there.versions[id]?.keyArn : undefined;
    if (had !== undefined) sealed.set(id, { value: undefined, keyArn: had });
    else {
      const content = await readValue(state, primary, id, { ...user, region: place.region });
      if (content) sealed.set(id, await seal(state, replica, id, content, { ...user, region }));
    }
  }
  return sealed;
}

interface Replication extends ReplicaRecord {
  readonly arn: string;
  readonly values: ReadonlyMap<string, Sealed>;
  readonly overwrite: boolean;
}

async function writeReplica(
  state: SecretsState,
  transaction: Transaction,
  place: SecretPlace,
  primary: SecretRecord,
  { arn, region, kmsKeyId, values, overwrite }: Replication,
): Promise<Pick<ReplicaRecord, 'status' | 'message'>> {
  const target = { ...place, region };
  const there = (await transaction.get<SecretRecord>(secretKey(target)))?.value;
  const ours = there?.arn === arn && there.replicaOf === place.region ? there : undefined;
  if (there && !ours) {
    if (!overwrite) return { status: 'Failed', message: NAME_TAKEN };
    await eraseSecret(state, transaction, { place: target, secret: there });
  }
  for (const id of Object.keys(ours?.versions ?? {})) if (!values.has(id)) transaction.delete(valueKey(arn, id));
  const versions: Record<string, VersionRecord> = {};
  for (const [id, { value, keyArn }] of values) {
    if (value) transaction.put(valueKey(arn, id), value);
    versions[id] = { ...primary.versions[id]!, keyArn, accessed: ours?.versions[id]?.accessed };
  }
  const record: SecretRecord = {
    ...primary,
    arn,
    kmsKeyId,
    versions,
    accessed: ours?.accessed,
    replicas: [],
    replicaOf: place.region,
    job: undefined,
    rotation: primary.rotation && { ...primary.rotation, enabled: false },
  };
  saveSecret(state, transaction, target, record, ours);
  return { status: 'InSync', message: undefined };
}
