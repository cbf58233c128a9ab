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
    results.set(replica.region, await replicateTo(state, place, primary, replica, user, overwrite));
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

async function replicateTo(
  state: SecretsState,
  place: SecretPlace,
  primary: SecretRecord,
  replica: ReplicaRecord,
  user: ValueUser,
  overwrite: boolean,
): Promise<Pick<ReplicaRecord, 'status' | 'message'>> {
  const target = { ...place, region: replica.region };
  const arn = inRegion(primary.arn, replica.region);
  try {
    const values = await sealedFor(
      state,
      primary,
      { arn, kmsKeyId: replica.kmsKeyId },
      { ...user, region: place.region },
    );
    return await state.store.transact(async (transaction) => {
      const there = (await transaction.get<SecretRecord>(secretKey(target)))?.value;
      const isOurs = there?.arn === arn && there.replicaOf === place.region;
      if (there && !isOurs) {
        if (!overwrite) return { status: 'Failed', message: NAME_TAKEN };
        await eraseSecret(state, transaction, { place: target, secret: there });
      }
      await writeReplica(
        state,
        transaction,
        target,
        {
          ...primary,
          arn,
          kmsKeyId: replica.kmsKeyId,
          versions: Object.fromEntries(
            [...values].map(([id, { keyArn }]) => [
              id,
              { ...primary.versions[id]!, keyArn, accessed: isOurs ? there.versions[id]?.accessed : undefined },
            ]),
          ),
          accessed: isOurs ? there.accessed : undefined,
          replicas: [],
          replicaOf: place.region,
          job: undefined,
          rotation: primary.rotation && { ...primary.rotation, enabled: false },
          deletion: undefined,
        },
        isOurs ? there : undefined,
        values,
      );
      return { status: 'InSync', message: undefined };
    });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { status: 'Failed', message: error.message };
  }
}

type Sealed = { readonly value: ValueRecord | undefined; readonly keyArn: string };

/** The values for a replica; those that it has already are not made again. */
async function sealedFor(
  state: SecretsState,
  primary: SecretRecord,
  replica: Pick<SecretRecord, 'arn' | 'kmsKeyId'>,
  user: ValueUser,
): Promise<ReadonlyMap<string, Sealed>> {
  const region = replica.arn.split(':')[3]!;
  const [account, name] = [primary.arn.split(':')[4]!, nameOf(primary.arn)];
  const there = (await state.store.get<SecretRecord>(secretKey({ account, region, name })))?.value;
  const sealed = new Map<string, Sealed>();
  for (const [id, { keyArn }] of Object.entries(primary.versions)) {
    if (keyArn === undefined) continue;
    const had =
      there?.arn === replica.arn && there.kmsKeyId === replica.kmsKeyId ? there.versions[id]?.keyArn : undefined;
    if (had !== undefined) sealed.set(id, { value: undefined, keyArn: had });
    else {
      const content = await readValue(state, primary, id, user);
      if (content) sealed.set(id, await seal(state, replica, id, content, { ...user, region }));
    }
  }
  return sealed;
}

const nameOf = (arn: string) => arn.split(':').slice(6).join(':').slice(0, -7);

async function writeReplica(
  state: SecretsState,
  transaction: Transaction,
  target: SecretPlace,
  record: SecretRecord,
  before: SecretRecord | undefined,
  values: ReadonlyMap<string, Sealed>,
): Promise<void> {
  for (const id of Object.keys(before?.versions ?? {})) {
    if (!values.has(id)) transaction.delete(valueKey(record.arn, id));
  }
  for (const [id, { value }] of values) if (value) transaction.put(valueKey(record.arn, id), value);
  saveSecret(state, transaction, target, record, before);
}
