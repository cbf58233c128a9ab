import type { Encryption, KeyUser } from '../encryption.ts';
import { open, readHeader, seal } from './ciphertext.ts';
import { checkContext, type EncryptionContext } from './encryption-context.ts';
import { accessDenied, checkLength, invalidCiphertext } from './errors.ts';
import { findKey } from './key-identifier.ts';
import type { LoadedKey } from './key-ring.ts';
import { checkUsable } from './key-use.ts';
import type { KmsState } from './state.ts';

/** Decides whether a key may be used; throws AccessDeniedException. */
export type KeyUserCheck = (
  action: 'Encrypt' | 'Decrypt' | 'GenerateDataKey',
  key: LoadedKey,
  context: EncryptionContext,
  user: KeyUser,
) => Promise<void>;

/** Symmetric keys for other services. */
export function createEncryption(load: () => Promise<KmsState>, check: KeyUserCheck): Encryption {
  const use = async (
    action: 'Encrypt' | 'GenerateDataKey',
    keyId: string,
    context: EncryptionContext,
    user: KeyUser,
  ) => {
    const state = await load();
    checkContext('encryptionContext', context);
    const key = await findKey(state, keyId, user);
    await check(action, key, context, user);
    checkUsable(key, action, 'ENCRYPT_DECRYPT', 'SYMMETRIC_DEFAULT');
    return { state, key };
  };
  const sealed = (state: KmsState, key: LoadedKey, plaintext: Uint8Array, context: EncryptionContext) => {
    const { id, key: material } = key.current;
    const header = { account: key.record.account, keyId: key.record.id, materialId: id };
    return { ciphertext: seal(header, material, plaintext, context, state.random), keyArn: key.arn };
  };
  return {
    encrypt: async (keyId, plaintext, context, user) => {
      checkLength('plaintext', plaintext.length, 1, 4096);
      const { state, key } = await use('Encrypt', keyId, context, user);
      return sealed(state, key, plaintext, context);
    },
    decrypt: async (ciphertext, context, user) => {
      const state = await load();
      const key = await sealingKey(state, ciphertext, user.region);
      await check('Decrypt', key, context, user);
      checkUsable(key, 'Decrypt', 'ENCRYPT_DECRYPT', 'SYMMETRIC_DEFAULT');
      return open(ciphertext, sealingMaterial(key, ciphertext), context);
    },
    generateDataKey: async (keyId, context, user) => {
      const { state, key } = await use('GenerateDataKey', keyId, context, user);
      const plaintext = state.random.bytes(32);
      return { ...sealed(state, key, plaintext, context), plaintext };
    },
  };
}

/** The key that a blob was made with. Throws InvalidCiphertextException, or AccessDeniedException when there is none. */
export async function sealingKey(state: KmsState, ciphertext: Uint8Array, region: string): Promise<LoadedKey> {
  const { account, keyId } = readHeader(ciphertext);
  if (state.dueDates.isDue) await state.dueDates.settle();
  const key = await state.ring.find({ account, region, id: keyId });
  if (key) return key;
  throw accessDenied(
    'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
  );
}

/** The generation of the material that a blob was made with. Throws InvalidCiphertextException. */
export function sealingMaterial(key: LoadedKey, ciphertext: Uint8Array) {
  const material = key.material(readHeader(ciphertext).materialId);
  if (!material) throw invalidCiphertext();
  return material;
}
