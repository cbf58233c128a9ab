import {
  createPublicKey,
  diffieHellman,
  type KeyObject,
  encapsulate as makeSecret,
  decapsulate as openSecret,
} from 'node:crypto';
import type {
  DecapsulateCommandInput,
  DeriveSharedSecretCommandInput,
  EncapsulateCommandInput,
} from '@aws-sdk/client-kms';
import type { RequestContext } from '../../service.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkLength, invalidCiphertext, validation } from '../errors.ts';
import { findKey } from '../key-identifier.ts';
import { checkAlgorithm, checkUsable } from '../key-use.ts';
import type { KmsState } from '../state.ts';

/** The x-coordinate of the shared point. Source: SP 800-56A, section 5.7.1.2. */
export async function deriveSharedSecret(
  state: KmsState,
  input: DeriveSharedSecretCommandInput,
  context: RequestContext,
) {
  const algorithm = input.KeyAgreementAlgorithm ?? '';
  checkAlgorithm('keyAgreementAlgorithm', algorithm, 'KEY_AGREEMENT');
  checkLength('publicKey', input.PublicKey!.length, 1, 8192);
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  checkUsable(key, 'DeriveSharedSecret', 'KEY_AGREEMENT', algorithm);
  const privateKey = key.current.key;
  const publicKey = peerKey(input.PublicKey!, privateKey);
  endDryRun(input);
  return {
    KeyId: key.arn,
    SharedSecret: diffieHellman({ privateKey, publicKey }),
    KeyAgreementAlgorithm: algorithm,
    KeyOrigin: key.record.origin,
  };
}

export async function encapsulate(state: KmsState, input: EncapsulateCommandInput, context: RequestContext) {
  const key = await latticeKey(state, input, context, 'Encapsulate');
  endDryRun(input);
  const { sharedKey, ciphertext } = makeSecret(key.publicKey);
  return {
    KeyId: key.arn,
    SharedSecret: Buffer.from(sharedKey),
    SharedSecretCiphertextBlob: Buffer.from(ciphertext),
    EncapsulationAlgorithm: 'ML_KEM',
  };
}

export async function decapsulate(state: KmsState, input: DecapsulateCommandInput, context: RequestContext) {
  const key = await latticeKey(state, input, context, 'Decapsulate');
  endDryRun(input);
  let secret: Buffer;
  try {
    secret = Buffer.from(openSecret(key.current.key, input.SharedSecretCiphertextBlob!));
  } catch {
    throw invalidCiphertext();
  }
  return { KeyId: key.arn, SharedSecret: secret, EncapsulationAlgorithm: 'ML_KEM' };
}

async function latticeKey(state: KmsState, input: EncapsulateCommandInput, context: RequestContext, operation: string) {
  checkAlgorithm('encapsulationAlgorithm', input.EncapsulationAlgorithm ?? '', 'ENCAPSULATE_DECAPSULATE');
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  checkUsable(key, operation, 'ENCAPSULATE_DECAPSULATE', input.EncapsulationAlgorithm);
  return key;
}

/** The other side's public key, which must be on the same curve. Throws ValidationException. */
function peerKey(der: Uint8Array, own: KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
  } catch {
    throw validation('The public key is not valid: it must be a DER-encoded X.509 SubjectPublicKeyInfo.');
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== own.asymmetricKeyDetails?.namedCurve) {
    throw validation('The public key is not on the curve of the KMS key.');
  }
  return key;
}
