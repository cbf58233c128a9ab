import type {
  RemoveRegionsFromReplicationCommandInput,
  RemoveRegionsFromReplicationCommandOutput,
  ReplicaRegionType,
  ReplicateSecretToRegionsCommandInput,
  ReplicateSecretToRegionsCommandOutput,
  StopReplicationToReplicaCommandInput,
  StopReplicationToReplicaCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, invalidRequest } from '../errors.ts';
import { replicationOutput } from '../output.ts';
import { type ReplicaRecord, type SecretRecord, secretKey } from '../records.ts';
import { replicate } from '../replication.ts';
import { changeSecret, eraseSecret, findActive, findWritable, type SecretsState, saveSecret } from '../state.ts';
import { userOf } from '../values.ts';

/** The regions of a request, checked. Throws InvalidParameterException. */
export function readReplicas(regions: readonly ReplicaRegionType[], own: string): ReplicaRecord[] {
  const read = regions.map(({ Region: region = '', KmsKeyId }): ReplicaRecord => {
    if (!/^([a-z]+-)+\d+$/.test(region)) throw invalidParameter(`Invalid replica region: ${region}`);
    if (region === own) throw invalidParameter('Invalid replica region.');
    return { region, kmsKeyId: KmsKeyId || undefined, status: 'InProgress' };
  });
  const twice = read.find(({ region }, index) => read.findIndex((other) => other.region === region) !== index);
  if (twice) throw invalidParameter(`The replica region ${twice.region} is given twice.`);
  return read;
}

/** API Reference, "ReplicateSecretToRegions". */
export async function replicateSecretToRegions(
  state: SecretsState,
  input: ReplicateSecretToRegionsCommandInput,
  context: RequestContext,
): Promise<Omit<ReplicateSecretToRegionsCommandOutput, '$metadata'>> {
  const found = await findWritable(state.store, input.SecretId!, context);
  const added = readReplicas(input.AddReplicaRegions!, found.place.region);
  if (added.length === 0) throw invalidParameter('AddReplicaRegions must name a region.');
  await changeSecret(state, found, (secret) => {
    const inSync = added.find(({ region }) =>
      secret.replicas.some((replica) => replica.region === region && replica.status === 'InSync'),
    );
    if (inSync) throw invalidParameter(`The secret is already replicated to ${inSync.region}.`);
    const kept = secret.replicas.filter(({ region }) => !added.some((replica) => replica.region === region));
    return { ...secret, replicas: [...kept, ...added], changed: state.clock.now() };
  });
  await replicate(state, found.place, userOf(context), { overwrite: input.ForceOverwriteReplicaSecret ?? false });
  const { secret } = await findActive(state.store, found.secret.arn, context);
  return { ARN: secret.arn, ReplicationStatus: replicationOutput(secret.replicas) };
}

/** API Reference, "RemoveRegionsFromReplication": the replicas are deleted. */
export async function removeRegionsFromReplication(
  state: SecretsState,
  input: RemoveRegionsFromReplicationCommandInput,
  context: RequestContext,
): Promise<Omit<RemoveRegionsFromReplicationCommandOutput, '$metadata'>> {
  const found = await findWritable(state.store, input.SecretId!, context);
  const regions = input.RemoveReplicaRegions!;
  const secret = await changeSecret(state, found, async (before, transaction) => {
    for (const region of regions) {
      if (!before.replicas.some((replica) => replica.region === region)) {
        throw invalidParameter(`The secret is not replicated to ${region}.`);
      }
      const place = { ...found.place, region };
      const replica = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
      if (replica?.replicaOf === found.place.region) {
        await eraseSecret(state, transaction, { place, secret: replica });
      }
    }
    const replicas = before.replicas.filter(({ region }) => !regions.includes(region));
    return { ...before, replicas, changed: state.clock.now() };
  });
  return { ARN: secret.arn, ReplicationStatus: replicationOutput(secret.replicas) };
}

/** API Reference, "StopReplicationToReplica": the replica becomes a secret of its own. */
export async function stopReplicationToReplica(
  state: SecretsState,
  input: StopReplicationToReplicaCommandInput,
  context: RequestContext,
): Promise<Omit<StopReplicationToReplicaCommandOutput, '$metadata'>> {
  const found = await findActive(state.store, input.SecretId!, context);
  const { replicaOf } = found.secret;
  if (replicaOf === undefined) throw invalidRequest('The secret is not a replica.');
  await changeSecret(state, found, async ({ rotation: _, ...secret }, transaction) => {
    const place = { ...found.place, region: replicaOf };
    const primary = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
    if (primary) {
      const replicas = primary.replicas.filter(({ region }) => region !== found.place.region);
      saveSecret(state, transaction, place, { ...primary, replicas }, primary);
    }
    return { ...secret, replicaOf: undefined, changed: state.clock.now() };
  });
  return { ARN: found.secret.arn };
}
