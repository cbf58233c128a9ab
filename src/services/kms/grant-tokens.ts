import { ServiceError } from '../../base/errors.ts';
import type { KeyPlace } from './records.ts';
import type { KmsState } from './state.ts';

const PURPOSE = 'grant token';

/** What a grant token stands for. */
export interface GrantTokenContent {
  readonly key: KeyPlace;
  readonly grantId: string;
}

/** A text that nobody else can make, and that says which grant it is of. */
export function makeGrantToken(state: KmsState, content: GrantTokenContent): string {
  return state.root.wrap(Buffer.from(JSON.stringify(content)), PURPOSE).toString('base64');
}

/** Throws InvalidGrantTokenException for a text that was not made here. */
export function readGrantToken(state: KmsState, token: string): GrantTokenContent {
  try {
    return JSON.parse(state.root.unwrap(Buffer.from(token, 'base64'), PURPOSE).toString()) as GrantTokenContent;
  } catch {
    throw new ServiceError('InvalidGrantTokenException', 'The grant token is not valid.');
  }
}
