import type { CreateSecretCommandInput, CreateSecretCommandOutput } from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { invalidRequest, refused } from '../errors.ts';
import { checkName, newArn } from '../names.ts';
import { replicationOutput } from '../output.ts';
import { versionIdOf } from '../put-version.ts';
import { type SecretPlace, type SecretRecord, secretKey, valueKey } from '../records.ts';
import { replicate } from '../replication.ts';
import { type SecretsState, saveSecret } from '../state.ts';
import { readTags } from '../tags.ts';
import { type Content, contentOf, readValue, sameContent, seal, userOf } from '../values.ts';
import { CURRENT } from '../versions.ts';
import { checkDescription } from './describe-secret.ts';
import { readReplicas } from './replicas.ts';

type Output = Omit<CreateSecretCommandOutput, '$metadata'>;

/** API Reference, "CreateSecret". */
export async function createSecret(
  state: SecretsState,
  input: CreateSecretCommandInput,
  context: RequestContext,
): Promise<Output> {
  if (input.Type !== undefined) throw refused('Type', 'Secrets are not managed with partners.');
  const { account, region } = context;
  const place = { account, region, name: checkName(input.Name!) };
  const content = contentOf(input);
  const versionId = versionIdOf(input.ClientRequestToken, state.random);
  const tags = readTags(input.Tags ?? []);
  const replicas = readReplicas(input.AddReplicaRegions ?? [], region);
  const now = state.clock.now();
  const secret: SecretRecord = {
    arn: newArn(place, state.random),
    description: checkDescription(input.Description),
    kmsKeyId: input.KmsKeyId || undefined,
    created: now,
    changed: now,
    tags,
    versions: {},
    replicas,
  };
  const user = userOf(context);
  const existing = await state.store.get<SecretRecord>(secretKey(place));
  if (existing) return alreadyThere(state, place, existing.value, versionId, content, context);
  const sealed = content && (await seal(state, secret, versionId, content, user));
  const first = await state.store.transact(async (transaction) => {
    const there = await transaction.get<SecretRecord>(secretKey(place));
    if (there) return there.value;
    if (sealed) transaction.put(valueKey(secret.arn, versionId), sealed.value);
    const versions = sealed ? { [versionId]: { created: now, stages: [CURRENT], keyArn: sealed.keyArn } } : {};
    saveSecret(state, transaction, place, { ...secret, versions }, undefined);
    return undefined;
  });
  if (first) return alreadyThere(state, place, first, versionId, content, context);
  await replicate(state, place, user, { overwrite: input.ForceOverwriteReplicaSecret ?? false });
  const status = (await state.store.get<SecretRecord>(secretKey(place)))?.value.replicas ?? [];
  return {
    ARN: secret.arn,
    Name: place.name,
    ...(content ? { VersionId: versionId } : {}),
    ...(status.length > 0 ? { ReplicationStatus: replicationOutput(status) } : {}),
  };
}

/** The same request again is answered as the first was. */
async function alreadyThere(
  state: SecretsState,
  { name }: SecretPlace,
  secret: SecretRecord,
  versionId: string,
  content: Content | undefined,
  context: RequestContext,
): Promise<Output> {
  const there =
    content && !secret.deletion && secret.versions[versionId]
      ? await readValue(state, secret, versionId, userOf(context))
      : undefined;
  if (there && sameContent(there, content!)) return { ARN: secret.arn, Name: name, VersionId: versionId };
  throw nameInUse(name, secret);
}

function nameInUse(name: string, { deletion }: SecretRecord): ServiceError {
  if (deletion) {
    return invalidRequest(
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  }
  return new ServiceError('ResourceExistsException', `The operation failed because the secret ${name} already exists.`);
}
