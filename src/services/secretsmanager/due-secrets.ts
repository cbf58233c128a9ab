import { type SecretRecord, secretKey } from './records.ts';
import { beginScheduled } from './rotation/job.ts';
import type { RotationRunner } from './rotation/runner.ts';
import { eraseSecret, type SecretsState, saveSecret } from './state.ts';

/** Does what is due for a secret: deletes it when its recovery window is over, or begins or tries again its rotation. */
export async function attendToSecret(
  state: SecretsState,
  runner: RotationRunner,
  item: readonly string[],
  due: number,
): Promise<void> {
  const [account, region, name] = item as [string, string, string];
  const place = { account, region, name };
  const now = state.clock.now();
  const rotates = await state.store.transact(async (transaction) => {
    const secret = (await transaction.get<SecretRecord>(secretKey(place)))?.value;
    if (secret?.due !== due) {
      state.agenda.move(transaction, item, due, undefined);
      return false;
    }
    if (secret.deletion) {
      await eraseSecret(state, transaction, { place, secret });
      return false;
    }
    if (secret.job?.next === undefined) {
      saveSecret(state, transaction, place, beginScheduled(secret, now, state.random), secret);
    }
    return true;
  });
  if (rotates) await runner.launch(place);
}
