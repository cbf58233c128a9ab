import { emitPolicyAction } from './change-events.ts';
import { policyDue } from './policies.ts';
import { type ParameterRecord, parameterKey } from './records.ts';
import { removeParameter, type SsmState, saveParameter } from './state.ts';

/**
 * Carries out the policies of a parameter that are due: tells of them, and deletes a parameter that has expired. Parameter
 * Store does so by periodic scans, so a little later. Source: Systems Manager User Guide, "Assigning parameter policies".
 */
export async function carryOutPolicies(state: SsmState, item: readonly string[], due: number): Promise<void> {
  const [account, region, name] = item as [string, string, string];
  const id = { account, region, name };
  const next = await state.store.transact(async (transaction) => {
    const parameter = (await transaction.get<ParameterRecord>(parameterKey(id)))?.value;
    if (!parameter || parameter.due !== due) {
      state.agenda.move(transaction, item, due, undefined);
      return undefined;
    }
    const now = state.clock.now();
    const isDue = parameter.policies.map(
      (policy) => !policy.finished && policyDue(policy, parameter.policies, parameter.latest.modified) <= now,
    );
    const acting = parameter.policies
      .filter((_policy, index) => isDue[index])
      .sort((a, b) => Number(a.type === 'Expiration') - Number(b.type === 'Expiration'));
    for (const policy of acting) emitPolicyAction(state, transaction, id, policy, parameter.latest);
    if (acting.some(({ type }) => type === 'Expiration')) {
      await removeParameter(state, transaction, { id, parameter });
      return undefined;
    }
    const policies = parameter.policies.map((policy, index) => (isDue[index] ? { ...policy, finished: true } : policy));
    return saveParameter(state, transaction, id, { ...parameter, policies }, parameter);
  });
  state.agenda.changed(next);
}
