import type {
  DeleteParameterCommandInput,
  DeleteParametersCommandInput,
  DeleteParametersCommandOutput,
} from '@aws-sdk/client-ssm';
import type { RequestContext } from '../../service.ts';
import { plainNames } from '../names.ts';
import { findFirst, findParameter, removeParameter, type SsmState } from '../state.ts';
import { checkNames } from './get-parameters.ts';

/** API Reference, "DeleteParameter". */
export async function deleteParameter(
  state: SsmState,
  input: DeleteParameterCommandInput,
  context: RequestContext,
): Promise<object> {
  await state.store.transact(async (transaction) => {
    await removeParameter(state, transaction, await findParameter(transaction, input.Name!, context));
  });
  return {};
}

/** API Reference, "DeleteParameters". What cannot be found is named in the answer. */
export async function deleteParameters(
  state: SsmState,
  input: DeleteParametersCommandInput,
  context: RequestContext,
): Promise<Omit<DeleteParametersCommandOutput, '$metadata'>> {
  const names = checkNames(input.Names!);
  return state.store.transact(async (transaction) => {
    const deleted: string[] = [];
    const invalid: string[] = [];
    for (const name of names) {
      const found = await findFirst(transaction, plainNames(name, context), context);
      if (found) await removeParameter(state, transaction, found);
      (found ? deleted : invalid).push(name);
    }
    return { DeletedParameters: deleted, InvalidParameters: invalid };
  });
}
