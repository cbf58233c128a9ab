import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';
import type { KeyUser } from '../encryption.ts';
import type { Principal, RequestContext } from '../service.ts';
import { constraint, invalidParameter } from './errors.ts';
import { type SecretRecord, type ValueRecord, valueKey } from './records.ts';
import type { SecretsState } from './state.ts';

/** The account's own key for secrets. */
export const DEFAULT_KEY = 'alias/aws/secretsmanager';
const MAX_BYTES = 65_536;
const IV_LENGTH = 12;

/** A secret value in the clear. */
export interface Content {
  readonly kind: 'string' | 'binary';
  readonly bytes: Uint8Array;
}

/** In whose name keys are used, and where. */
export type ValueUser = Pick<KeyUser, 'principal' | 'account' | 'region'>;

export function userOf({ principal, account, region }: RequestContext): ValueUser {
  return { principal, account, region };
}

/** What the service does by itself, it does in the name of the account that owns the secret. */
export function ownerOf(account: string, region: string): ValueUser {
  const principal: Principal = {
    type: 'Root',
    account,
    arn: `arn:aws:iam::${account}:root`,
    userId: account,
    accessKeyId: undefined,
  };
  return { principal, account, region };
}

/** The content of a request; `undefined` when it has none. Throws InvalidParameterException. */
export function contentOf(input: {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: Uint8Array | undefined;
}): Content | undefined {
  const { SecretString: text, SecretBinary: binary } = input;
  if (text !== undefined && binary !== undefined) {
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  }
  if (text === undefined && binary === undefined) return undefined;
  const content: Content =
    text === undefined ? { kind: 'binary', bytes: binary! } : { kind: 'string', bytes: Buffer.from(text) };
  if (content.bytes.length > MAX_BYTES) {
    const member = content.kind === 'string' ? 'secretString' : 'secretBinary';
    throw constraint('*** sensitive ***', member, `Member must have length less than or equal to ${MAX_BYTES}`);
  }
  return content;
}

export function sameContent(a: Content, b: Content): boolean {
  return a.kind === b.kind && Buffer.compare(a.bytes, b.bytes) === 0;
}

export function contentOutput({ kind, bytes }: Content) {
  return kind === 'string' ? { SecretString: Buffer.from(bytes).toString('utf8') } : { SecretBinary: bytes };
}

const encryptionContext = (arn: string, version: string) => ({ SecretARN: arn, SecretVersionId: version });

/**
 * Encrypts a value with a data key of its own. Throws EncryptionFailure, AccessDeniedException.
 * Source: Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets Manager".
 */
export async function seal(
  { encryption, random }: SecretsState,
  { arn, kmsKeyId }: Pick<SecretRecord, 'arn' | 'kmsKeyId'>,
  version: string,
  { kind, bytes }: Content,
  user: ValueUser,
): Promise<{ readonly value: ValueRecord; readonly keyArn: string }> {
  const key = await ofKms(
    encryption.generateDataKey(kmsKeyId ?? DEFAULT_KEY, encryptionContext(arn, version), withService(user)),
    'EncryptionFailure',
  );
  const iv = random.bytes(IV_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', key.plaintext, iv);
  const data = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return { value: { kind, dataKey: key.ciphertext, iv, tag: cipher.getAuthTag(), data }, keyArn: key.keyArn };
}

/** A version's value; `undefined` when it has none. Throws DecryptionFailure, AccessDeniedException. */
export async function readValue(
  state: SecretsState,
  { arn }: Pick<SecretRecord, 'arn'>,
  version: string,
  user: ValueUser,
): Promise<Content | undefined> {
  const value = (await state.store.get<ValueRecord>(valueKey(arn, version)))?.value;
  if (!value) return undefined;
  const key = await ofKms(
    state.encryption.decrypt(value.dataKey, encryptionContext(arn, version), withService(user)),
    'DecryptionFailure',
  );
  const decipher = createDecipheriv('aes-256-gcm', key, value.iv);
  decipher.setAuthTag(value.tag);
  return { kind: value.kind, bytes: Buffer.concat([decipher.update(value.data), decipher.final()]) };
}

function withService(user: ValueUser): KeyUser {
  return { ...user, service: 'secretsmanager.amazonaws.com' };
}

async function ofKms<T>(work: Promise<T>, code: 'EncryptionFailure' | 'DecryptionFailure'): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const options = { cause: error, detail: `${error.code}: ${error.message}` };
    if (error.code === 'AccessDeniedException') {
      throw new ServiceError('AccessDeniedException', 'Access to KMS is not allowed', options);
    }
    const verb = code === 'EncryptionFailure' ? 'encrypt' : 'decrypt';
    throw new ServiceError(
      code,
      `Secrets Manager can't ${verb} the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state: ${error.message}`,
      options,
    );
  }
}
