import { ServiceError } from '../../base/errors.ts';
import type { RootKey } from './root-key.ts';

const PURPOSE = 'import token';

/** What an import token carries, encrypted: nothing of it is kept here. */
export interface ImportParameters {
  readonly keyArn: string;
  readonly algorithm: string;
  /** Epoch ms. */
  readonly validTo: number;
  /** PKCS #8 of the key that opens what was wrapped, base64. */
  readonly privateKey: string;
}

export function makeImportToken(root: RootKey, parameters: ImportParameters): Buffer {
  return root.wrap(Buffer.from(JSON.stringify(parameters)), PURPOSE);
}

/** Throws InvalidImportTokenException for another key's or none, ExpiredImportTokenException for one that is too old. */
export function readImportToken(root: RootKey, token: Uint8Array, keyArn: string, now: number): ImportParameters {
  let parameters: ImportParameters;
  try {
    parameters = JSON.parse(root.unwrap(token, PURPOSE).toString()) as ImportParameters;
  } catch {
    throw invalidToken();
  }
  if (parameters.keyArn !== keyArn) throw invalidToken();
  if (parameters.validTo <= now) {
    throw new ServiceError('ExpiredImportTokenException', 'The import token is expired.');
  }
  return parameters;
}

const invalidToken = (): ServiceError =>
  new ServiceError('InvalidImportTokenException', 'The import token is invalid or is associated with a different key.');
