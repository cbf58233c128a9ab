import type {
  GenerateDataKeyCommandInput,
  GenerateDataKeyPairCommandInput,
  GenerateDataKeyPairWithoutPlaintextCommandInput,
  GenerateDataKeyWithoutPlaintextCommandInput,
  GenerateRandomCommandInput,
} from '@aws-sdk/client-kms';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { checkOptions, endDryRun } from '../dry-run.ts';
import { checkContext, type EncryptionContext } from '../encryption-context.ts';
import { checkEnum, checkRange, unsupported, validation } from '../errors.ts';
import { findKey } from '../key-identifier.ts';
import { generatePair } from '../key-material.ts';
import { KEY_SPECS, type KeySpecName, specInfo } from '../key-specs.ts';
import { checkUsable } from '../key-use.ts';
import type { KmsState } from '../state.ts';
import { sealWith } from '../symmetric-encryption.ts';

const SIZES: Readonly<Record<string, number>> = { AES_128: 16, AES_256: 32 };
const MAXIMUM_BYTES = 1024;

export async function generateDataKey(state: KmsState, input: GenerateDataKeyCommandInput, context: RequestContext) {
  return dataKey(state, input, context, 'GenerateDataKey');
}

export async function generateDataKeyWithoutPlaintext(
  state: KmsState,
  input: GenerateDataKeyWithoutPlaintextCommandInput,
  context: RequestContext,
) {
  const { Plaintext, ...rest } = await dataKey(state, input, context, 'GenerateDataKeyWithoutPlaintext');
  Plaintext.fill(0);
  return rest;
}

export async function generateDataKeyPair(
  state: KmsState,
  input: GenerateDataKeyPairCommandInput,
  context: RequestContext,
) {
  return dataKeyPair(state, input, context, 'GenerateDataKeyPair');
}

export async function generateDataKeyPairWithoutPlaintext(
  state: KmsState,
  input: GenerateDataKeyPairWithoutPlaintextCommandInput,
  context: RequestContext,
) {
  const { PrivateKeyPlaintext, ...rest } = await dataKeyPair(
    state,
    input,
    context,
    'GenerateDataKeyPairWithoutPlaintext',
  );
  PrivateKeyPlaintext.fill(0);
  return rest;
}

export async function generateRandom(state: KmsState, input: GenerateRandomCommandInput) {
  checkOptions(state, input);
  if (input.CustomKeyStoreId !== undefined) {
    throw new ServiceError(
      'CustomKeyStoreNotFoundException',
      `Custom key store ${input.CustomKeyStoreId} does not exist.`,
    );
  }
  if (input.NumberOfBytes === undefined) throw validation('NumberOfBytes is required.');
  checkRange('numberOfBytes', input.NumberOfBytes, 1, MAXIMUM_BYTES);
  return { Plaintext: state.random.bytes(input.NumberOfBytes) };
}

async function dataKey(
  state: KmsState,
  input: GenerateDataKeyCommandInput,
  context: RequestContext,
  operation: string,
) {
  const { EncryptionContext, KeySpec, NumberOfBytes } = input;
  if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
    throw validation('Please specify either number of bytes or key spec.');
  }
  if (KeySpec !== undefined) checkEnum('keySpec', KeySpec, Object.keys(SIZES));
  if (NumberOfBytes !== undefined) checkRange('numberOfBytes', NumberOfBytes, 1, MAXIMUM_BYTES);
  const key = await usableKey(state, input, context, operation, EncryptionContext);
  endDryRun(input);
  const plaintext = state.random.bytes(NumberOfBytes ?? SIZES[KeySpec!]!);
  return {
    CiphertextBlob: sealWith(state, key, plaintext, EncryptionContext),
    Plaintext: plaintext,
    KeyId: key.arn,
    KeyMaterialId: key.current.id,
  };
}

async function dataKeyPair(
  state: KmsState,
  input: GenerateDataKeyPairCommandInput,
  context: RequestContext,
  operation: string,
) {
  const spec = input.KeyPairSpec ?? '';
  if (spec === 'SM2')
    throw unsupported('KeyPairSpec SM2 is not supported in this region: AWS has it in China Regions only.');
  const pairs = (Object.keys(KEY_SPECS) as KeySpecName[]).filter((name) => /^(?:RSA|ECC|ML_KEM)_/.test(name));
  checkEnum('keyPairSpec', spec, pairs);
  const key = await usableKey(state, input, context, operation, input.EncryptionContext);
  endDryRun(input);
  const { material } = specInfo(spec as KeySpecName);
  const { publicKey, privateKey } = await generatePair(material as Exclude<typeof material, { kind: 'secret' }>);
  const plaintext = privateKey.export({ format: 'der', type: 'pkcs8' });
  return {
    PrivateKeyCiphertextBlob: sealWith(state, key, plaintext, input.EncryptionContext),
    PrivateKeyPlaintext: plaintext,
    PublicKey: publicKey.export({ format: 'der', type: 'spki' }),
    KeyId: key.arn,
    KeyPairSpec: spec,
    KeyMaterialId: key.current.id,
  };
}

async function usableKey(
  state: KmsState,
  input: GenerateDataKeyPairCommandInput | GenerateDataKeyCommandInput,
  context: RequestContext,
  operation: string,
  encryptionContext: EncryptionContext | undefined,
) {
  checkContext('encryptionContext', encryptionContext);
  checkOptions(state, input);
  const key = await findKey(state, input.KeyId ?? '', context);
  checkUsable(key, operation, 'ENCRYPT_DECRYPT', 'SYMMETRIC_DEFAULT');
  return key;
}
