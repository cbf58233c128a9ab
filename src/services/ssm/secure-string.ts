import { createCipheriv, createDecipheriv } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';
import type { EncryptedValue, KeyUser } from '../encryption.ts';
import type { RequestContext } from '../service.ts';
import { parameterArn } from './names.ts';
import type { ParameterId, Tier, VersionRecord } from './records.ts';
import type { SsmState } from './state.ts';

/** The account's own key for parameters. */
export const DEFAULT_KEY = 'alias/aws/ssm';

/**
 * How a value is encrypted, in its first byte: by the key itself, as standard parameters are, or by a data key of its own,
 * as advanced ones are. Source: KMS Developer Guide, "How AWS Systems Manager Parameter Store uses AWS KMS".
 */
const DIRECT = 1;
const ENVELOPE = 2;
const IV_LENGTH = 12;
const TAG_LENGTH = 16;

const encryptionContext = (id: ParameterId) => ({ PARAMETER_ARN: parameterArn(id) });

function userOf({ account, region, principal }: RequestContext): KeyUser {
  return { service: 'ssm.amazonaws.com', principal, account, region };
}

/** Encrypts a value in the caller's name; Base64. Throws InvalidKeyId, AccessDeniedException. */
export async function encryptValue(
  { encryption, random }: SsmState,
  id: ParameterId,
  value: string,
  keyId: string,
  tier: Tier,
  context: RequestContext,
): Promise<string> {
  const user = userOf(context);
  const plaintext = Buffer.from(value);
  if (tier === 'Standard') {
    const { ciphertext } = await ofKms(encryption.encrypt(keyId, plaintext, encryptionContext(id), user));
    return Buffer.concat([Buffer.of(DIRECT), ciphertext]).toString('base64');
  }
  const key = await ofKms(encryption.generateDataKey(keyId, encryptionContext(id), user));
  const iv = random.bytes(IV_LENGTH);
  const cipher = createCipheriv('aes-256-gcm', key.plaintext, iv);
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header(key), iv, cipher.getAuthTag(), encrypted]).toString('base64');
}

function header({ ciphertext }: EncryptedValue): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(ENVELOPE, 0);
  head.writeUInt16BE(ciphertext.length, 1);
  return Buffer.concat([head, ciphertext]);
}

/** What a version's value is in the clear. Throws InvalidKeyId, AccessDeniedException. */
export async function decryptValue(
  { encryption }: SsmState,
  id: ParameterId,
  { type, value }: VersionRecord,
  context: RequestContext,
): Promise<string> {
  if (type !== 'SecureString') return value;
  const bytes = Buffer.from(value, 'base64');
  const user = userOf(context);
  if (bytes[0] === DIRECT) {
    const plaintext = await ofKms(encryption.decrypt(bytes.subarray(1), encryptionContext(id), user));
    return Buffer.from(plaintext).toString('utf8');
  }
  const ivAt = 3 + bytes.readUInt16BE(1);
  const key = await ofKms(encryption.decrypt(bytes.subarray(3, ivAt), encryptionContext(id), user));
  const tagAt = ivAt + IV_LENGTH;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(ivAt, tagAt));
  decipher.setAuthTag(bytes.subarray(tagAt, tagAt + TAG_LENGTH));
  return Buffer.concat([decipher.update(bytes.subarray(tagAt + TAG_LENGTH)), decipher.final()]).toString('utf8');
}

/** KMS's errors as Parameter Store names them. */
async function ofKms<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code === 'AccessDeniedException') throw error;
    throw new ServiceError('InvalidKeyId', error.message, { cause: error, detail: error.code });
  }
}
