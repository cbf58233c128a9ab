import type { Transaction } from '../../store/index.ts';
import { type RuleId, type RuleRecord, ruleKey } from './records.ts';
import type { EventBridgeState } from './state.ts';

/**
 * Writes what becomes of a rule, with when it comes next; `undefined` removes it. When this resolves, events are matched
 * against the new rule. Returns the rule.
 */
export async function changeRule(
  state: EventBridgeState,
  id: RuleId,
  body: (transaction: Transaction, existing: RuleRecord | undefined) => Promise<RuleRecord | undefined>,
): Promise<RuleRecord | undefined> {
  let revision = 0;
  let next: number | undefined;
  const rule = await state.store.transact(
    async (transaction) => {
      const existing = (await transaction.get<RuleRecord>(ruleKey(id)))?.value;
      const changed = await body(transaction, existing);
      if (changed) transaction.put(ruleKey(id), changed);
      else if (existing) transaction.delete(ruleKey(id));
      const isScheduled = changed?.schedule !== undefined || existing?.schedule !== undefined;
      next = isScheduled ? await state.schedules.put(transaction, id, changed) : undefined;
      return changed;
    },
    {
      onCommit: (committed) => {
        revision = committed;
      },
    },
  );
  if (revision > 0) await state.publisher.tables.tell(id, (table) => table.setRule(id.rule, rule, revision));
  state.schedules.expect(next);
  return rule;
}
