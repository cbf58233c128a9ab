import { emitServiceEvent } from '../../events/index.ts';
import type { Transaction } from '../../store/index.ts';
import { parameterArn } from './names.ts';
import type { ParameterId, PolicyRecord, VersionRecord } from './records.ts';
import type { SsmState } from './state.ts';

/** Tells the default bus of a change. Source: EventBridge User Guide, "AWS Systems Manager Parameter Store events". */
export function emitChange(
  state: SsmState,
  transaction: Transaction,
  id: ParameterId,
  operation: 'Create' | 'Update' | 'Delete' | 'LabelParameterVersion',
  version: VersionRecord,
  labels?: readonly string[],
): void {
  emit(state, transaction, id, 'Parameter Store Change', {
    operation,
    name: id.name,
    type: version.type,
    ...(version.description === undefined ? {} : { description: version.description }),
    ...(labels ? { 'parameter-version': String(version.version), labels } : {}),
  });
}

/** Source: Systems Manager User Guide, "Configuring EventBridge rules for parameter policies". */
export function emitPolicyAction(
  state: SsmState,
  transaction: Transaction,
  id: ParameterId,
  policy: PolicyRecord,
  version: VersionRecord,
): void {
  emit(state, transaction, id, 'Parameter Store Policy Action', {
    'parameter-name': id.name,
    'parameter-type': version.type,
    'policy-type': policy.type,
    'policy-content': policy.text,
  });
}

function emit(state: SsmState, transaction: Transaction, id: ParameterId, detailType: string, detail: object): void {
  const { account, region } = id;
  emitServiceEvent(state, transaction, {
    source: 'aws.ssm',
    detailType,
    resources: [parameterArn(id)],
    detail,
    account,
    region,
  });
}
