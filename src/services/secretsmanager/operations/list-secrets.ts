import type {
  APIErrorType,
  BatchGetSecretValueCommandInput,
  BatchGetSecretValueCommandOutput,
  ListSecretsCommandInput,
  ListSecretsCommandOutput,
  SecretValueEntry,
} from '@aws-sdk/client-secrets-manager';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { onSecret } from '../authorization.ts';
import { constraint, invalidParameter } from '../errors.ts';
import { type SecretTest, secretFilter } from '../filters.ts';
import { detailsOutput } from '../output.ts';
import { pageSize, readToken, writeToken } from '../paging.ts';
import { type SecretRecord, secretPrefix } from '../records.ts';
import { type FoundSecret, findActive, type SecretsState } from '../state.ts';
import { stagesByVersion } from '../versions.ts';
import { chooseVersion, valueOutput } from './secret-values.ts';

const SORTS: Readonly<Record<string, (secret: FoundSecret) => string | number>> = {
  'created-date': ({ secret }) => secret.created,
  'last-accessed-date': ({ secret }) => secret.accessed ?? 0,
  'last-changed-date': ({ secret }) => secret.changed,
  name: ({ place }) => place.name,
};
const MAX_BATCH = 20;

/** API Reference, "ListSecrets". */
export async function listSecrets(
  state: SecretsState,
  input: ListSecretsCommandInput,
  context: RequestContext,
): Promise<Omit<ListSecretsCommandOutput, '$metadata'>> {
  const size = pageSize(input.MaxResults, 100, 100);
  const from = readToken(input.NextToken);
  const test = secretFilter(input.Filters ?? []);
  const sortBy = input.SortBy ?? 'created-date';
  if (!Object.hasOwn(SORTS, sortBy)) {
    throw constraint(sortBy, 'sortBy', `Member must satisfy enum value set: [${Object.keys(SORTS).join(', ')}]`);
  }
  if (input.SortOrder !== undefined && input.SortOrder !== 'asc' && input.SortOrder !== 'desc') {
    throw constraint(input.SortOrder, 'sortOrder', 'Member must satisfy enum value set: [asc, desc]');
  }
  const found = (await matching(state, context, test)).filter(
    ({ secret }) => !secret.deletion || input.IncludePlannedDeletion,
  );
  const keyOf = SORTS[sortBy]!;
  const sign = input.SortOrder === 'desc' ? -1 : 1;
  found.sort((a, b) => sign * compare(keyOf(a), keyOf(b)));
  return {
    SecretList: found.slice(from, from + size).map(({ place, secret }) => {
      const stages = stagesByVersion(secret.versions);
      return {
        ...detailsOutput(place.name, place.region, secret),
        SecretVersionsToStages: Object.keys(stages).length > 0 ? stages : undefined,
      };
    }),
    NextToken: found.length > from + size ? writeToken(from + size) : undefined,
  };
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : Number(a > b);
}

/** The secrets of the caller's account and region that fit, in the order of their names. */
async function matching(
  { store }: SecretsState,
  { account, region }: Pick<RequestContext, 'account' | 'region'>,
  test: SecretTest,
): Promise<FoundSecret[]> {
  const entries = await store.range<SecretRecord>({ prefix: secretPrefix({ account, region }) });
  return entries.flatMap(({ key, value }) => {
    const name = key.at(-1) as string;
    return test(name, region, value) ? [{ place: { account, region, name }, secret: value }] : [];
  });
}

/** API Reference, "BatchGetSecretValue". What cannot be read is told in the answer. */
export async function batchGetSecretValue(
  state: SecretsState,
  input: BatchGetSecretValueCommandInput,
  context: RequestContext,
): Promise<Omit<BatchGetSecretValueCommandOutput, '$metadata'>> {
  const { ids, nextToken } = await batchOf(state, input, context);
  const values: SecretValueEntry[] = [];
  const errors: APIErrorType[] = [];
  for (const SecretId of ids) {
    try {
      await authorizeRead(state, SecretId, context);
      const found = await findActive(state.store, SecretId, context);
      values.push(await valueOutput(state, found, chooseVersion(found.secret, {}), context));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues: values, Errors: errors, NextToken: nextToken };
}

/** The caller needs the right to read each of them. Throws AccessDeniedException. */
async function authorizeRead(state: SecretsState, secretId: string, context: RequestContext): Promise<void> {
  if (!state.authorizer) return;
  const question = await onSecret(state, 'secretsmanager:GetSecretValue', secretId, {}, context);
  try {
    await state.authorizer.authorize(context.principal, [question], context);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'AccessDenied') throw error;
    throw new ServiceError('AccessDeniedException', error.message, { cause: error });
  }
}

/** The secrets that a batch is of, by list or by filter. */
async function batchOf(
  state: SecretsState,
  { SecretIdList: ids, Filters: filters, MaxResults, NextToken }: BatchGetSecretValueCommandInput,
  context: Pick<RequestContext, 'account' | 'region'>,
): Promise<{ readonly ids: readonly string[]; readonly nextToken: string | undefined }> {
  if ((ids === undefined) === (filters === undefined)) {
    throw invalidParameter('Either SecretIdList or Filters must be provided, but not both.');
  }
  if (ids) {
    if (MaxResults !== undefined || NextToken !== undefined) {
      throw invalidParameter('MaxResults and NextToken can be used with Filters only.');
    }
    if (ids.length < 1 || ids.length > MAX_BATCH) {
      throw constraint(ids, 'secretIdList', `Member must have length between 1 and ${MAX_BATCH}`);
    }
    return { ids, nextToken: undefined };
  }
  const size = pageSize(MaxResults, MAX_BATCH, MAX_BATCH);
  const from = readToken(NextToken);
  const found = (await matching(state, context, secretFilter(filters!))).filter(({ secret }) => !secret.deletion);
  return {
    ids: found.slice(from, from + size).map(({ secret }) => secret.arn),
    nextToken: found.length > from + size ? writeToken(from + size) : undefined,
  };
}
