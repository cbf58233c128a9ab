import type {
  LabelParameterVersionCommandInput,
  LabelParameterVersionCommandOutput,
  UnlabelParameterVersionCommandInput,
  UnlabelParameterVersionCommandOutput,
} from '@aws-sdk/client-ssm';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { emitChange } from '../change-events.ts';
import { constraint, versionNotFound } from '../errors.ts';
import { parameterKey, type VersionRecord, versionKey } from '../records.ts';
import { findParameter, type SsmState } from '../state.ts';

const MAX_LABELS = 10;
const MAX_LENGTH = 100;

/**
 * API Reference, "LabelParameterVersion": a label moves to the version from the one that had it. When any label is not
 * valid, none is attached. Source of the rules: Systems Manager User Guide, "Working with parameter labels".
 */
export async function labelParameterVersion(
  state: SsmState,
  input: LabelParameterVersionCommandInput,
  context: RequestContext,
): Promise<Omit<LabelParameterVersionCommandOutput, '$metadata'>> {
  const labels = checkLabels(input.Labels!);
  return state.store.transact(async (transaction) => {
    const { id, parameter } = await findParameter(transaction, input.Name!, context);
    const version = input.ParameterVersion ?? parameter.latest.version;
    const entry = await transaction.get<VersionRecord>(versionKey(id, version));
    if (!entry) throw versionNotFound(id.name, version);
    const invalid = labels.filter((label) => !/^(?!aws|ssm)[a-z_.-][\w.-]*$/i.test(label));
    if (invalid.length > 0) return { InvalidLabels: invalid, ParameterVersion: version };
    const moved = { ...parameter.labels, ...Object.fromEntries(labels.map((label) => [label, version])) };
    if (Object.values(moved).filter((labelled) => labelled === version).length > MAX_LABELS) {
      throw new ServiceError(
        'ParameterVersionLabelLimitExceeded',
        'A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.',
      );
    }
    transaction.put(parameterKey(id), { ...parameter, labels: moved });
    emitChange(state, transaction, id, 'LabelParameterVersion', entry.value, labels);
    return { InvalidLabels: [], ParameterVersion: version };
  });
}

/** API Reference, "UnlabelParameterVersion". */
export async function unlabelParameterVersion(
  state: SsmState,
  input: UnlabelParameterVersionCommandInput,
  context: RequestContext,
): Promise<Omit<UnlabelParameterVersionCommandOutput, '$metadata'>> {
  const labels = checkLabels(input.Labels!);
  const version = input.ParameterVersion!;
  return state.store.transact(async (transaction) => {
    const { id, parameter } = await findParameter(transaction, input.Name!, context);
    if (!(await transaction.get(versionKey(id, version)))) throw versionNotFound(id.name, version);
    const removed = labels.filter((label) => parameter.labels[label] === version);
    transaction.put(parameterKey(id), {
      ...parameter,
      labels: Object.fromEntries(Object.entries(parameter.labels).filter(([label]) => !removed.includes(label))),
    });
    return { RemovedLabels: removed, InvalidLabels: labels.filter((label) => !removed.includes(label)) };
  });
}

function checkLabels(labels: readonly string[]): readonly string[] {
  if (labels.length === 0) throw constraint(labels, 'labels', 'Member must have length greater than or equal to 1');
  if (labels.some((label) => label.length < 1 || label.length > MAX_LENGTH)) {
    throw constraint(
      labels,
      'labels',
      `Member must satisfy constraint: [Member must have length less than or equal to ${MAX_LENGTH}, Member must have length greater than or equal to 1]`,
    );
  }
  if (labels.length > MAX_LABELS) {
    throw new ServiceError(
      'ParameterVersionLabelLimitExceeded',
      'A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.',
    );
  }
  return [...new Set(labels)];
}
