import type {
  DescribeParametersCommandInput,
  DescribeParametersCommandOutput,
  GetParametersByPathCommandInput,
  GetParametersByPathCommandOutput,
  Parameter,
} from '@aws-sdk/client-ssm';
import type { RequestContext } from '../../service.ts';
import { refused } from '../errors.ts';
import { byPathFilter, describeFilter, type ParameterTest } from '../filters.ts';
import { checkPath, isBelow, parameterArn } from '../names.ts';
import { isText, pageSize, readToken, writeToken } from '../paging.ts';
import { policyOutput } from '../policies.ts';
import { type ParameterRecord, parameterPrefix, type VersionRecord, versionKey } from '../records.ts';
import type { FoundParameter, SsmState } from '../state.ts';
import { parameterOutput } from './get-parameters.ts';

/** Parameters that are read from the store at once. */
const SCAN = 200;

/** API Reference, "DescribeParameters". */
export async function describeParameters(
  state: SsmState,
  input: DescribeParametersCommandInput,
  context: RequestContext,
): Promise<Omit<DescribeParametersCommandOutput, '$metadata'>> {
  if (input.Shared) throw refused('Shared', 'Parameters are not shared between accounts.');
  const size = pageSize(input.MaxResults, 50, 50);
  const { found, nextToken } = await scan(state, context, input.NextToken, size, undefined, describeFilter(input));
  return {
    Parameters: found.map(({ id, parameter: { latest, policies } }) => ({
      Name: id.name,
      ARN: parameterArn(id),
      Type: latest.type,
      KeyId: latest.keyId,
      LastModifiedDate: new Date(latest.modified),
      LastModifiedUser: latest.user,
      Description: latest.description,
      AllowedPattern: latest.allowedPattern,
      Version: latest.version,
      Tier: latest.tier,
      Policies: policyOutput(policies),
      DataType: latest.dataType,
    })),
    NextToken: nextToken,
  };
}

/** API Reference, "GetParametersByPath". */
export async function getParametersByPath(
  state: SsmState,
  input: GetParametersByPathCommandInput,
  context: RequestContext,
): Promise<Omit<GetParametersByPathCommandOutput, '$metadata'>> {
  const path = checkPath(input.Path!);
  const size = pageSize(input.MaxResults, 10, 10);
  const { test, labels } = byPathFilter(input.ParameterFilters ?? []);
  const { found, nextToken } = await scan(state, context, input.NextToken, size, path, (name, parameter) => {
    const labelled = labels?.some((label) => Object.hasOwn(parameter.labels, label)) ?? true;
    return labelled && isBelow(name, path, input.Recursive ?? false) && test(name, parameter);
  });
  const parameters = await Promise.all(
    found.map((each) => byLabel(state, each, labels, input.WithDecryption ?? false, context)),
  );
  return { Parameters: parameters.flat(), NextToken: nextToken };
}

/** The latest version, or those with the labels. */
async function byLabel(
  state: SsmState,
  { id, parameter }: FoundParameter,
  labels: readonly string[] | undefined,
  decrypt: boolean,
  context: RequestContext,
): Promise<Parameter[]> {
  if (!labels) return [await parameterOutput(state, id, parameter.latest, decrypt, context)];
  const versions = await Promise.all(
    labels
      .filter((label) => Object.hasOwn(parameter.labels, label))
      .map(async (label) => {
        const entry = await state.store.get<VersionRecord>(versionKey(id, parameter.labels[label]!));
        if (!entry) return [];
        const output = await parameterOutput(state, id, entry.value, decrypt, context);
        return [{ ...output, Selector: `:${label}` }];
      }),
  );
  return versions.flat();
}

/** A page of the account's parameters in the order of their names. */
async function scan(
  { store }: SsmState,
  { account, region }: RequestContext,
  token: string | undefined,
  size: number,
  path: string | undefined,
  test: ParameterTest,
): Promise<{ readonly found: readonly FoundParameter[]; readonly nextToken: string | undefined }> {
  const prefix = parameterPrefix({ account, region });
  // What is below a path stands together; the root also holds names without a slash.
  const bounds =
    path === undefined || path === '/' ? {} : { from: [...prefix, `${path}/`], before: [...prefix, `${path}0`] };
  const found: FoundParameter[] = [];
  let after = readToken(token, isText);
  for (;;) {
    const { from, before } = bounds as { from?: typeof prefix; before?: typeof prefix };
    const entries = await store.range<ParameterRecord>({
      prefix,
      ...(after === undefined ? (from ? { from } : {}) : { after: [...prefix, after] }),
      ...(before ? { before } : {}),
      limit: SCAN,
    });
    for (const { key, value } of entries) {
      const name = key.at(-1) as string;
      if (!test(name, value)) continue;
      if (found.length === size) return { found, nextToken: writeToken(found.at(-1)!.id.name) };
      found.push({ id: { account, region, name }, parameter: value });
    }
    if (entries.length < SCAN) return { found, nextToken: undefined };
    after = entries.at(-1)!.key.at(-1) as string;
  }
}
