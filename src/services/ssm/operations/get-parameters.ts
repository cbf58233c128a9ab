import type {
  GetParameterCommandInput,
  GetParameterCommandOutput,
  GetParameterHistoryCommandInput,
  GetParameterHistoryCommandOutput,
  GetParametersCommandInput,
  GetParametersCommandOutput,
  Parameter,
} from '@aws-sdk/client-ssm';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, labelNotFound, parameterNotFound, versionNotFound } from '../errors.ts';
import { parameterArn, parseSelection } from '../names.ts';
import { pageSize, readToken, writeToken } from '../paging.ts';
import { policyOutput } from '../policies.ts';
import { type ParameterId, type VersionRecord, versionKey, versionPrefix } from '../records.ts';
import { decryptValue } from '../secure-string.ts';
import { type FoundParameter, findFirst, findParameter, type SsmState } from '../state.ts';

const MAX_NAMES = 10;

/** API Reference, "GetParameter". */
export async function getParameter(
  state: SsmState,
  input: GetParameterCommandInput,
  context: RequestContext,
): Promise<Omit<GetParameterCommandOutput, '$metadata'>> {
  return { Parameter: await readSelected(state, input.Name!, input.WithDecryption ?? false, context) };
}

/** API Reference, "GetParameters". What cannot be found is named in the answer. */
export async function getParameters(
  state: SsmState,
  input: GetParametersCommandInput,
  context: RequestContext,
): Promise<Omit<GetParametersCommandOutput, '$metadata'>> {
  const names = checkNames(input.Names!);
  const found: Parameter[] = [];
  const invalid: string[] = [];
  await Promise.all(
    names.map(async (name, index) => {
      try {
        found[index] = await readSelected(state, name, input.WithDecryption ?? false, context);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        invalid[index] = name;
      }
    }),
  );
  return { Parameters: found.filter(Boolean), InvalidParameters: invalid.filter(Boolean) };
}

/** 1–10 names, each once. */
export function checkNames(names: readonly string[]): readonly string[] {
  if (names.length > MAX_NAMES) throw constraint(names, 'names', 'Member must have length less than or equal to 10');
  if (names.length === 0) throw constraint(names, 'names', 'Member must have length greater than or equal to 1');
  return [...new Set(names)];
}

function isNotFound(error: unknown): boolean {
  return error instanceof ServiceError && ['ParameterNotFound', 'ParameterVersionNotFound'].includes(error.code);
}

async function readSelected(
  state: SsmState,
  text: string,
  decrypt: boolean,
  context: RequestContext,
): Promise<Parameter> {
  const selected = parseSelection(text, context);
  const found = selected && (await findFirst(state.store, selected.names, context));
  if (!selected || !found) throw parameterNotFound(text);
  const version = await versionOf(state, found, selected);
  const parameter = await parameterOutput(state, found.id, version, decrypt, context);
  return selected.selector === undefined ? parameter : { ...parameter, Selector: selected.selector };
}

/** The version that is asked for, or the latest. Throws ParameterVersionNotFound. */
async function versionOf(
  state: SsmState,
  { id, parameter }: FoundParameter,
  { version, label }: { readonly version: number | undefined; readonly label: string | undefined },
): Promise<VersionRecord> {
  const wanted = label === undefined ? version : parameter.labels[label];
  if (label !== undefined && wanted === undefined) throw labelNotFound(id.name, label);
  if (wanted === undefined || wanted === parameter.latest.version) return parameter.latest;
  const entry = await state.store.get<VersionRecord>(versionKey(id, wanted));
  if (!entry) throw versionNotFound(id.name, wanted);
  return entry.value;
}

/** A parameter as the operations that read give it. */
export async function parameterOutput(
  state: SsmState,
  id: ParameterId,
  version: VersionRecord,
  decrypt: boolean,
  context: RequestContext,
): Promise<Parameter> {
  return {
    Name: id.name,
    Type: version.type,
    Value: decrypt ? await decryptValue(state, id, version, context) : version.value,
    Version: version.version,
    LastModifiedDate: new Date(version.modified),
    ARN: parameterArn(id),
    DataType: version.dataType,
  };
}

/** API Reference, "GetParameterHistory": the versions that are kept, oldest first. */
export async function getParameterHistory(
  state: SsmState,
  input: GetParameterHistoryCommandInput,
  context: RequestContext,
): Promise<Omit<GetParameterHistoryCommandOutput, '$metadata'>> {
  const { id, parameter } = await findParameter(state.store, input.Name!, context);
  const size = pageSize(input.MaxResults, 50, 50);
  const after = readToken(input.NextToken, (content) => typeof content === 'number');
  const entries = await state.store.range<VersionRecord>({
    prefix: versionPrefix(id),
    ...(after === undefined ? {} : { after: versionKey(id, after) }),
    limit: size + 1,
  });
  const page = entries.slice(0, size).map(({ value }) => value);
  const labels = Object.entries(parameter.labels);
  return {
    Parameters: await Promise.all(
      page.map(async (version) => ({
        Name: id.name,
        Type: version.type,
        KeyId: version.keyId,
        LastModifiedDate: new Date(version.modified),
        LastModifiedUser: version.user,
        Description: version.description,
        Value: input.WithDecryption ? await decryptValue(state, id, version, context) : version.value,
        AllowedPattern: version.allowedPattern,
        Version: version.version,
        Labels: labels.filter(([, labelled]) => labelled === version.version).map(([label]) => label),
        Tier: version.tier,
        Policies: version.version === parameter.latest.version ? policyOutput(parameter.policies) : [],
        DataType: version.dataType,
      })),
    ),
    NextToken: entries.length > size ? writeToken(page.at(-1)!.version) : undefined,
  };
}
