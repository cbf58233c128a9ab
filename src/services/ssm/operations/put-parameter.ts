import type { PutParameterCommandInput, PutParameterCommandOutput } from '@aws-sdk/client-ssm';
import { ServiceError } from '../../../base/errors.ts';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { checkAllowedPattern } from '../allowed-pattern.ts';
import { emitChange } from '../change-events.ts';
import { checkDataType } from '../data-types.ts';
import { constraint, validation } from '../errors.ts';
import { checkNewName } from '../names.ts';
import { afterChange, parsePolicies } from '../policies.ts';
import {
  type ParameterId,
  type ParameterRecord,
  type ParameterType,
  type PolicyRecord,
  parameterKey,
  type VersionRecord,
  versionKey,
} from '../records.ts';
import { DEFAULT_KEY, encryptValue } from '../secure-string.ts';
import { count, type SsmState, saveParameter } from '../state.ts';
import { readTags } from '../tags.ts';
import { checkCount, chooseTier } from '../tiers.ts';

const TYPES: readonly string[] = ['String', 'StringList', 'SecureString'];
const MAX_VERSIONS = 100;
const MAX_DESCRIPTION = 1024;

/** Everything of a new version but its number. */
type Draft = Omit<VersionRecord, 'version'>;

/** API Reference, "PutParameter". */
export async function putParameter(
  state: SsmState,
  input: PutParameterCommandInput,
  context: RequestContext,
): Promise<Omit<PutParameterCommandOutput, '$metadata'>> {
  const { account, region } = context;
  const id = { account, region, name: checkNewName(input.Name!, context) };
  checkInput(input);
  const tags = readTags(input.Tags ?? []);
  const existing = (await state.store.get<ParameterRecord>(parameterKey(id)))?.value;
  const policies = policiesOf(state, input, existing);
  const draft = await draftOf(state, id, input, existing, policies, context);
  let due: number | undefined;
  const version = await state.store.transact(async (transaction) => {
    const entry = await transaction.get<ParameterRecord>(parameterKey(id));
    if (entry && !input.Overwrite) throw alreadyExists();
    if (!sameVersion(entry?.value.latest, existing?.latest)) throw concurrent();
    const parameter = entry
      ? await updated(transaction, id, entry.value, draft, policies)
      : await created(transaction, id, draft, policies, tags);
    transaction.put(versionKey(id, parameter.latest.version), parameter.latest);
    due = saveParameter(state, transaction, id, parameter, entry?.value);
    emitChange(state, transaction, id, entry ? 'Update' : 'Create', parameter.latest);
    return parameter.latest;
  });
  state.agenda.changed(due);
  return { Version: version.version, Tier: version.tier };
}

function checkInput(input: PutParameterCommandInput): void {
  const { Description: description, Overwrite, Tags, Type: type, Value: value } = input;
  if (value === '') throw constraint('', 'value', 'Member must have length greater than or equal to 1');
  if (/\{\{.*\}\}/s.test(value!)) {
    throw validation('Parameter value: can\'t nest another parameter. Do not use "{{}}" in the value.');
  }
  if (type !== undefined && !TYPES.includes(type)) {
    throw constraint(type, 'type', 'Member must satisfy enum value set: [SecureString, StringList, String]');
  }
  if (description !== undefined && description.length > MAX_DESCRIPTION) {
    throw constraint(description, 'description', `Member must have length less than or equal to ${MAX_DESCRIPTION}`);
  }
  if (Overwrite && Tags && Tags.length > 0) {
    throw validation(
      "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
    );
  }
}

/** Those of the request, or the ones that are there. */
function policiesOf(
  { clock }: SsmState,
  { Policies: text }: PutParameterCommandInput,
  existing: ParameterRecord | undefined,
): readonly PolicyRecord[] {
  return text === undefined ? afterChange(existing?.policies ?? []) : parsePolicies(text, clock.now());
}

/** What a change does not name stays as it was. */
async function draftOf(
  state: SsmState,
  id: ParameterId,
  input: PutParameterCommandInput,
  existing: ParameterRecord | undefined,
  policies: readonly PolicyRecord[],
  context: RequestContext,
): Promise<Draft> {
  if (existing && !input.Overwrite) throw alreadyExists();
  const before = existing?.latest;
  const value = input.Value!;
  const type = typeOf(input.Type, before);
  const dataType = input.DataType ?? before?.dataType ?? 'text';
  checkDataType(dataType, value);
  // An empty pattern takes away the one that was there.
  const allowedPattern = (input.AllowedPattern ?? before?.allowedPattern) || undefined;
  if (allowedPattern !== undefined) checkAllowedPattern(allowedPattern, value);
  const tier = await chooseTier(
    state.store,
    id,
    input.Tier,
    { value, dataType, hasPolicies: policies.length > 0 },
    existing,
  );
  if (input.KeyId !== undefined && type !== 'SecureString') {
    throw validation('KeyId is required for parameter type SecureString only.');
  }
  const keyId = type === 'SecureString' ? input.KeyId || before?.keyId || DEFAULT_KEY : undefined;
  return {
    type,
    value: keyId === undefined ? value : await encryptValue(state, id, value, keyId, tier, context),
    keyId,
    modified: state.clock.now(),
    user: context.principal.arn,
    description: input.Description ?? before?.description,
    allowedPattern,
    dataType,
    tier,
  };
}

/** A type may change: that is what Parameter Store does, whatever its reference says of HierarchyTypeMismatchException. */
function typeOf(asked: ParameterType | undefined, before: VersionRecord | undefined): ParameterType {
  const type = asked ?? before?.type;
  if (type === undefined) throw validation('A parameter type is required when you create a parameter.');
  return type;
}

async function created(
  transaction: Transaction,
  id: ParameterId,
  draft: Draft,
  policies: readonly PolicyRecord[],
  tags: Readonly<Record<string, string>>,
): Promise<ParameterRecord> {
  checkCount(draft.tier, await count(transaction, id, draft.tier, 1));
  return { latest: { ...draft, version: 1 }, oldest: 1, labels: {}, tags, policies };
}

async function updated(
  transaction: Transaction,
  id: ParameterId,
  existing: ParameterRecord,
  draft: Draft,
  policies: readonly PolicyRecord[],
): Promise<ParameterRecord> {
  if (existing.latest.tier !== draft.tier) {
    await count(transaction, id, existing.latest.tier, -1);
    checkCount(draft.tier, await count(transaction, id, draft.tier, 1));
  }
  const latest = { ...draft, version: existing.latest.version + 1 };
  let { oldest } = existing;
  if (latest.version - oldest >= MAX_VERSIONS) {
    if (Object.values(existing.labels).includes(oldest)) {
      throw new ServiceError(
        'ParameterMaxVersionLimitExceeded',
        `You attempted to create a new version of ${id.name} by calling the PutParameter API with the overwrite flag. Version ${oldest}, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.`,
      );
    }
    transaction.delete(versionKey(id, oldest));
    oldest++;
  }
  return { ...existing, latest, oldest, policies };
}

function sameVersion(a: VersionRecord | undefined, b: VersionRecord | undefined): boolean {
  return a?.version === b?.version && a?.type === b?.type;
}

function alreadyExists(): ServiceError {
  return new ServiceError(
    'ParameterAlreadyExists',
    'The parameter already exists. To overwrite this value, set the overwrite option in the request to true.',
  );
}

function concurrent(): ServiceError {
  return new ServiceError(
    'TooManyUpdates',
    'There are concurrent updates for a resource that supports one update at a time.',
  );
}
