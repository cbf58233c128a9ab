import type { DecryptCommandInput, EncryptCommandInput, ReEncryptCommandInput } from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { decryptRsa, encryptRsa } from '../asymmetric-encryption.ts';
import { open, readHeader } from '../ciphertext.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkContext, type EncryptionContext } from '../encryption-context.ts';
import { checkLength, constraint, incorrectKey, validation } from '../errors.ts';
import { findKey } from '../key-identifier.ts';
import type { LoadedKey } from '../key-ring.ts';
import { checkAlgorithm, checkUsable } from '../key-use.ts';
import type { KmsState } from '../state.ts';
import { sealingKey, sealingMaterial, sealWith } from '../symmetric-encryption.ts';

const SYMMETRIC = 'SYMMETRIC_DEFAULT';
const MAXIMUM_PLAINTEXT = 4096;
const MAXIMUM_CIPHERTEXT = 6144;

export async function encrypt(state: KmsState, input: EncryptCommandInput, context: RequestContext) {
  const algorithm = input.EncryptionAlgorithm ?? SYMMETRIC;
  checkAlgorithm('encryptionAlgorithm', algorithm, 'ENCRYPT_DECRYPT');
  const plaintext = input.Plaintext!;
  checkLength('plaintext', plaintext.length, 1, MAXIMUM_PLAINTEXT);
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  const ciphertext = encryptWith(state, key, 'Encrypt', algorithm, plaintext, input.EncryptionContext);
  endDryRun(input);
  return { CiphertextBlob: ciphertext, KeyId: key.arn, EncryptionAlgorithm: algorithm };
}

export async function decrypt(state: KmsState, input: DecryptCommandInput, context: RequestContext) {
  const algorithm = input.EncryptionAlgorithm ?? SYMMETRIC;
  checkAlgorithm('encryptionAlgorithm', algorithm, 'ENCRYPT_DECRYPT');
  checkOptions(state, input);
  const source = { ...input, member: 'ciphertextBlob', algorithm };
  const key = await sourceKey(state, source, context);
  checkUsable(key, 'Decrypt', 'ENCRYPT_DECRYPT', algorithm);
  const plaintext = decryptWith(key, source, input.EncryptionContext);
  endDryRun(input);
  return {
    KeyId: key.arn,
    Plaintext: plaintext!,
    EncryptionAlgorithm: algorithm,
    ...(algorithm === SYMMETRIC ? { KeyMaterialId: readHeader(input.CiphertextBlob!).materialId } : {}),
  };
}

export async function reEncrypt(state: KmsState, input: ReEncryptCommandInput, context: RequestContext) {
  const from = input.SourceEncryptionAlgorithm ?? SYMMETRIC;
  const to = input.DestinationEncryptionAlgorithm ?? SYMMETRIC;
  checkAlgorithm('sourceEncryptionAlgorithm', from, 'ENCRYPT_DECRYPT');
  checkAlgorithm('destinationEncryptionAlgorithm', to, 'ENCRYPT_DECRYPT');
  checkOptions(state, input);
  const source = { ...input, KeyId: input.SourceKeyId, member: 'ciphertextBlob', algorithm: from };
  const sourced = await sourceKey(state, source, context);
  const destination = await findKey(state, input.DestinationKeyId ?? '', context);
  checkUsable(sourced, 'ReEncrypt', 'ENCRYPT_DECRYPT', from);
  checkUsable(destination, 'ReEncrypt', 'ENCRYPT_DECRYPT', to);
  const plaintext = decryptWith(sourced, source, input.SourceEncryptionContext);
  if (plaintext === undefined) endDryRun(input);
  const { DestinationEncryptionContext } = input;
  const ciphertext = encryptWith(state, destination, 'ReEncrypt', to, plaintext!, DestinationEncryptionContext);
  plaintext!.fill(0);
  endDryRun(input);
  return {
    CiphertextBlob: ciphertext,
    SourceKeyId: sourced.arn,
    KeyId: destination.arn,
    SourceEncryptionAlgorithm: from,
    DestinationEncryptionAlgorithm: to,
    ...(from === SYMMETRIC ? { SourceKeyMaterialId: readHeader(input.CiphertextBlob!).materialId } : {}),
    ...(to === SYMMETRIC ? { DestinationKeyMaterialId: destination.current.id } : {}),
  };
}

function encryptWith(
  state: KmsState,
  key: LoadedKey,
  operation: string,
  algorithm: string,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
): Buffer {
  checkContext('encryptionContext', context);
  checkUsable(key, operation, 'ENCRYPT_DECRYPT', algorithm);
  if (algorithm === SYMMETRIC) return sealWith(state, key, plaintext, context);
  refuseContext(context);
  return encryptRsa(key.publicKey, key.record.spec, algorithm, plaintext);
}

/** What Decrypt and ReEncrypt know of a ciphertext. */
interface Source {
  readonly CiphertextBlob?: Uint8Array | undefined;
  readonly KeyId?: string | undefined;
  readonly DryRun?: boolean | undefined;
  readonly DryRunModifiers?: readonly string[] | undefined;
  readonly algorithm: string;
  readonly member: string;
}

/** A dry run may leave the ciphertext out: then the key must be named. */
function ignoresCiphertext({ DryRun, DryRunModifiers }: Source): boolean {
  const ignores = DryRunModifiers?.includes('IGNORE_CIPHERTEXT') === true;
  if (ignores && DryRun !== true) throw validation('DryRunModifiers can only be specified when DryRun is true.');
  return ignores;
}

/** The key for a ciphertext. Throws IncorrectKeyException when another is named than it was made with. */
async function sourceKey(state: KmsState, source: Source, context: RequestContext): Promise<LoadedKey> {
  const { algorithm, CiphertextBlob, KeyId, member } = source;
  if (ignoresCiphertext(source)) {
    if (KeyId === undefined) throw validation('KeyId is required when the ciphertext is ignored.');
    return findKey(state, KeyId, context);
  }
  if (CiphertextBlob === undefined) throw constraint(member, 'Member must not be null', 'null ');
  checkLength(member, CiphertextBlob.length, 1, MAXIMUM_CIPHERTEXT);
  if (algorithm !== SYMMETRIC) {
    if (KeyId === undefined) throw validation('KeyId is required to decrypt with an asymmetric key.');
    return findKey(state, KeyId, context);
  }
  const named = KeyId === undefined ? undefined : await findKey(state, KeyId, context);
  if (named && named.record.spec !== SYMMETRIC) return named;
  const { account, keyId } = readHeader(CiphertextBlob);
  if (named && (named.record.id !== keyId || named.record.account !== account)) throw incorrectKey();
  return named ?? sealingKey(state, CiphertextBlob, context.region);
}

function decryptWith(key: LoadedKey, source: Source, context: EncryptionContext | undefined): Buffer | undefined {
  checkContext('encryptionContext', context);
  if (ignoresCiphertext(source)) return undefined;
  const { algorithm, CiphertextBlob } = source;
  if (algorithm === SYMMETRIC) return open(CiphertextBlob!, sealingMaterial(key, CiphertextBlob!), context);
  refuseContext(context);
  return decryptRsa(key.current.key, algorithm, CiphertextBlob!);
}

function refuseContext(context: EncryptionContext | undefined): void {
  if (context === undefined || Object.keys(context).length === 0) return;
  throw validation('EncryptionContext goes with symmetric encryption keys only.');
}
