import type { Encryption, KeyUser } from '../encryption.ts';
import { open } from './ciphertext.ts';
import { checkContext, type EncryptionContext } from './encryption-context.ts';
import { checkLength } from './errors.ts';
import { findKey } from './key-identifier.ts';
import type { LoadedKey } from './key-ring.ts';
import { checkUsable } from './key-use.ts';
import type { KmsState } from './state.ts';
import { sealingKey, sealingMaterial, sealWith } from './symmetric-encryption.ts';

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
    state.usage.record(key.record, action, '');
    return { state, key };
  };
  const sealed = (state: KmsState, key: LoadedKey, plaintext: Uint8Array, context: EncryptionContext) => ({
    ciphertext: sealWith(state, key, plaintext, context),
    keyArn: key.arn,
  });
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
      const plaintext = open(ciphertext, sealingMaterial(key, ciphertext), context);
      state.usage.record(key.record, 'Decrypt', '');
      return plaintext;
    },
    generateDataKey: async (keyId, context, user) => {
      const { state, key } = await use('GenerateDataKey', keyId, context, user);
      const plaintext = state.random.bytes(32);
      return { ...sealed(state, key, plaintext, context), plaintext };
    },
  };
}
