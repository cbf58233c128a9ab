import { ServiceError } from '../../base/errors.ts';
import { unsupported } from './errors.ts';
import { readGrantToken } from './grant-tokens.ts';
import type { KmsState } from './state.ts';

/** Members that operations with a key have in common. */
export interface UseOptions {
  readonly DryRun?: boolean | undefined;
  readonly GrantTokens?: readonly string[] | undefined;
  readonly Recipient?: unknown;
}

/**
 * Throws for what cannot be done: InvalidGrantTokenException, UnsupportedOperationException for Nitro enclaves. Grants
 * work as soon as they are made, so that a token adds nothing.
 */
export function checkOptions(state: KmsState, { GrantTokens, Recipient }: UseOptions): void {
  if (Recipient !== undefined) {
    throw unsupported('Recipient is not supported: there are no Nitro enclaves to answer to. Leave it out.');
  }
  for (const token of GrantTokens ?? []) readGrantToken(state, token);
}

/** To be called when everything has been checked: throws DryRunOperationException if that was all that was wanted. */
export function endDryRun({ DryRun }: UseOptions): void {
  if (DryRun !== true) return;
  throw new ServiceError(
    'DryRunOperationException',
    'The request would have succeeded, but the DryRun option is set.',
    { status: 412 },
  );
}
