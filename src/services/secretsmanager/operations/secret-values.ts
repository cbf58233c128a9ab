import type {
  GetSecretValueCommandInput,
  GetSecretValueCommandOutput,
  ListSecretVersionIdsCommandInput,
  ListSecretVersionIdsCommandOutput,
  PutSecretValueCommandInput,
  PutSecretValueCommandOutput,
} from '@aws-sdk/client-secrets-manager';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, invalidRequest, valueNotFound } from '../errors.ts';
import { pageSize, readToken, writeToken } from '../paging.ts';
import { checkVersionId, putVersion, versionIdOf } from '../put-version.ts';
import type { SecretRecord } from '../records.ts';
import { replicate } from '../replication.ts';
import { changeSecret, type FoundSecret, findActive, findSecret, findWritable, type SecretsState } from '../state.ts';
import { contentOf, contentOutput, readValue, userOf } from '../values.ts';
import { CURRENT, checkStages, versionWith } from '../versions.ts';

const DAY_MS = 86_400_000;

/** API Reference, "PutSecretValue". */
export async function putSecretValue(
  state: SecretsState,
  input: PutSecretValueCommandInput,
  context: RequestContext,
): Promise<Omit<PutSecretValueCommandOutput, '$metadata'>> {
  const content = contentOf(input);
  if (!content) throw invalidRequest('You must provide either SecretString or SecretBinary.');
  const stages = checkStages(input.VersionStages ?? [CURRENT]);
  const versionId = versionIdOf(input.ClientRequestToken, state.random);
  const found = await findWritable(state.store, input.SecretId!, context);
  if (input.RotationToken !== undefined && input.RotationToken !== found.secret.job?.rotationToken) {
    throw invalidParameter('The RotationToken is not that of a rotation of this secret that is under way.');
  }
  const user = userOf(context);
  const secret = await putVersion(state, found, { versionId, content, stages }, user);
  await replicate(state, found.place, user);
  return {
    ARN: secret.arn,
    Name: found.place.name,
    VersionId: versionId,
    VersionStages: [...(secret.versions[versionId]?.stages ?? [])],
  };
}

/** API Reference, "GetSecretValue". */
export async function getSecretValue(
  state: SecretsState,
  input: GetSecretValueCommandInput,
  context: RequestContext,
): Promise<Omit<GetSecretValueCommandOutput, '$metadata'>> {
  const found = await findActive(state.store, input.SecretId!, context);
  return valueOutput(state, found, chooseVersion(found.secret, input), context);
}

/** A version's value with what belongs to it. */
export async function valueOutput(
  state: SecretsState,
  found: FoundSecret,
  { versionId, named }: ChosenVersion,
  context: RequestContext,
) {
  const { place, secret } = found;
  const content = await readValue(state, secret, versionId, { ...userOf(context), region: place.region });
  if (!content) throw valueNotFound(named);
  const version = secret.versions[versionId]!;
  await noteAccess(state, found, versionId);
  return {
    ARN: secret.arn,
    Name: place.name,
    VersionId: versionId,
    ...contentOutput(content),
    VersionStages: [...version.stages],
    CreatedDate: new Date(version.created),
  };
}

interface ChosenVersion {
  readonly versionId: string;
  /** How the caller named it. */
  readonly named: string;
}

/** The version with the id, with the label, or the current one. Throws ResourceNotFoundException, InvalidRequestException. */
export function chooseVersion(
  { versions }: SecretRecord,
  { VersionId: id, VersionStage: stage }: Pick<GetSecretValueCommandInput, 'VersionId' | 'VersionStage'>,
): ChosenVersion {
  if (id !== undefined) {
    const named = `VersionId: ${checkVersionId(id, 'versionId')}`;
    if (!Object.hasOwn(versions, id)) throw valueNotFound(named);
    if (stage !== undefined && !versions[id]!.stages.includes(stage)) {
      throw invalidRequest('You provided a VersionStage that is not associated to the provided VersionId.');
    }
    return { versionId: id, named };
  }
  const named = `staging label: ${stage ?? CURRENT}`;
  const versionId = versionWith(versions, stage ?? CURRENT);
  if (versionId === undefined) throw valueNotFound(named);
  return { versionId, named };
}

/** The day of the last access is kept, not the time: one write a day. */
async function noteAccess(state: SecretsState, found: FoundSecret, versionId: string): Promise<void> {
  const day = Math.floor(state.clock.now() / DAY_MS) * DAY_MS;
  const { accessed, versions } = found.secret;
  if (accessed === day && versions[versionId]!.accessed === day) return;
  await changeSecret(state, found, (secret) => {
    const version = secret.versions[versionId];
    return {
      ...secret,
      accessed: day,
      versions: version ? { ...secret.versions, [versionId]: { ...version, accessed: day } } : secret.versions,
    };
  });
}

/** API Reference, "ListSecretVersionIds": oldest first. */
export async function listSecretVersionIds(
  state: SecretsState,
  input: ListSecretVersionIdsCommandInput,
  context: RequestContext,
): Promise<Omit<ListSecretVersionIdsCommandOutput, '$metadata'>> {
  const { place, secret } = await findSecret(state.store, input.SecretId!, context);
  const size = pageSize(input.MaxResults, 100, 100);
  const from = readToken(input.NextToken);
  const all = Object.entries(secret.versions)
    .filter(([, { stages }]) => input.IncludeDeprecated || stages.length > 0)
    .sort(([, a], [, b]) => a.created - b.created);
  return {
    ARN: secret.arn,
    Name: place.name,
    Versions: all.slice(from, from + size).map(([id, { stages, accessed, created, keyArn }]) => ({
      VersionId: id,
      VersionStages: stages.length > 0 ? [...stages] : undefined,
      LastAccessedDate: accessed === undefined ? undefined : new Date(accessed),
      CreatedDate: new Date(created),
      KmsKeyIds: keyArn === undefined ? undefined : [secret.kmsKeyId === undefined ? 'DefaultEncryptionKey' : keyArn],
    })),
    NextToken: all.length > from + size ? writeToken(from + size) : undefined,
  };
}
