import type {
  GetKeyPolicyCommandInput,
  ListKeyPoliciesCommandInput,
  PutKeyPolicyCommandInput,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { checkLength, notFound, validation } from '../errors.ts';
import { findCustomerKey, findOwnKey } from '../key-access.ts';
import { checkKeyPolicy } from '../key-policy.ts';
import { listPage } from '../paging.ts';
import { changeKey, type KmsState } from '../state.ts';

/** The only name that a key policy can have. */
const NAME = 'default';

export async function getKeyPolicy(state: KmsState, input: GetKeyPolicyCommandInput, context: RequestContext) {
  const { record } = await findOwnKey(state, input.KeyId, context);
  if ((input.PolicyName ?? NAME) !== NAME) throw notFound('No such policy exists');
  return { Policy: record.policy, PolicyName: NAME };
}

export async function putKeyPolicy(state: KmsState, input: PutKeyPolicyCommandInput, context: RequestContext) {
  const policy = input.Policy ?? '';
  checkLength('policy', policy.length, 1, 131_072);
  const { record: place } = await findCustomerKey(state, input.KeyId, context);
  if ((input.PolicyName ?? NAME) !== NAME) throw validation(`PolicyName must be '${NAME}'`);
  checkKeyPolicy(policy, context.principal, input.BypassPolicyLockoutSafetyCheck === true);
  await changeKey(state, place, (record) => ({ ...record, policy }));
  return {};
}

export async function listKeyPolicies(state: KmsState, input: ListKeyPoliciesCommandInput, context: RequestContext) {
  await findOwnKey(state, input.KeyId, context);
  const { items, more } = listPage([NAME], input, { byDefault: 100, most: 1000 });
  return { PolicyNames: [...items], ...more };
}
