import type { TransferOptions } from '../images.ts';
import { parseReference } from '../references/reference.ts';
import type { Registries } from './registries.ts';
import { transferError } from './registry-errors.ts';

/** The tags that a repository has at its registry. */
export async function remoteTags(registries: Registries, text: string, options: TransferOptions): Promise<string[]> {
  const reference = parseReference(text);
  try {
    const client = await registries.open(reference, reference.domain, 'pull', options);
    return await client.tags();
  } catch (error) {
    options.signal?.throwIfAborted();
    throw transferError(error, reference);
  }
}
