import type {
  DescribeSecretCommandInput,
  DescribeSecretCommandOutput,
  UpdateSecretCommandInput,
  UpdateSecretCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import type { RequestContext } from '../../service.ts';
import { constraint, refused } from '../errors.ts';
import { detailsOutput, replicationOutput } from '../output.ts';
import { putVersion, versionIdOf } from '../put-version.ts';
import { type SecretRecord, valueKey } from '../records.ts';
import { replicate } from '../replication.ts';
import { changeSecret, type FoundSecret, findSecret, findWritable, type SecretsState } from '../state.ts';
import { contentOf, readValue, seal, userOf } from '../values.ts';
import { CURRENT, stagesByVersion } from '../versions.ts';

export function checkDescription(description: string | undefined): string | undefined {
  if (description === undefined || description.length <= 2048) return description;
  throw constraint(description, 'description', 'Member must have length less than or equal to 2048');
}

/** API Reference, "DescribeSecret": also of a secret that is marked for deletion. */
export async function describeSecret(
  state: SecretsState,
  input: DescribeSecretCommandInput,
  context: RequestContext,
): Promise<Omit<DescribeSecretCommandOutput, '$metadata'>> {
  const { place, secret } = await findSecret(state.store, input.SecretId!, context);
  const stages = stagesByVersion(secret.versions);
  return {
    ...detailsOutput(place.name, place.region, secret),
    VersionIdsToStages: Object.keys(stages).length > 0 ? stages : undefined,
    ReplicationStatus: secret.replicas.length > 0 ? replicationOutput(secret.replicas) : undefined,
  };
}

/** API Reference, "UpdateSecret". */
export async function updateSecret(
  state: SecretsState,
  input: UpdateSecretCommandInput,
  context: RequestContext,
): Promise<Omit<UpdateSecretCommandOutput, '$metadata'>> {
  if (input.Type !== undefined) throw refused('Type', 'Secrets are not managed with partners.');
  const { Description, KmsKeyId } = input;
  checkDescription(Description);
  const content = contentOf(input);
  const found = await findWritable(state.store, input.SecretId!, context);
  const user = userOf(context);
  const versionId = versionIdOf(input.ClientRequestToken, state.random);
  const change = (secret: SecretRecord): SecretRecord => ({
    ...secret,
    ...(Description === undefined ? {} : { description: Description || undefined }),
    ...(KmsKeyId === undefined ? {} : { kmsKeyId: KmsKeyId || undefined }),
    changed: state.clock.now(),
  });
  if (KmsKeyId !== undefined && (KmsKeyId || undefined) !== found.secret.kmsKeyId) {
    await encryptAgain(state, found, KmsKeyId || undefined, context);
  }
  if (content) await putVersion(state, found, { versionId, content, stages: [CURRENT], change }, user);
  else await changeSecret(state, found, change);
  await replicate(state, found.place, user);
  return { ARN: found.secret.arn, Name: found.place.name, ...(content ? { VersionId: versionId } : {}) };
}

/** Another key: versions with a staging label are encrypted with it, too. */
async function encryptAgain(
  state: SecretsState,
  found: FoundSecret,
  kmsKeyId: string | undefined,
  context: RequestContext,
): Promise<void> {
  const user = userOf(context);
  const { arn, versions } = found.secret;
  const sealed = await Promise.all(
    Object.entries(versions)
      .filter(([, { stages, keyArn }]) => stages.length > 0 && keyArn !== undefined)
      .map(async ([id]) => {
        const content = (await readValue(state, found.secret, id, user))!;
        return [id, await seal(state, { arn, kmsKeyId }, id, content, user)] as const;
      }),
  );
  await changeSecret(state, found, (secret, transaction) => {
    const changed = { ...secret.versions };
    for (const [id, { value, keyArn }] of sealed) {
      if (!changed[id]) continue;
      transaction.put(valueKey(arn, id), value);
      changed[id] = { ...changed[id], keyArn };
    }
    return { ...secret, kmsKeyId, versions: changed };
  });
}
