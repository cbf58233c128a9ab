import type { KeyObject } from 'node:crypto';
import { readHeader, seal } from './ciphertext.ts';
import type { EncryptionContext } from './encryption-context.ts';
import { accessDenied, invalidCiphertext } from './errors.ts';
import type { LoadedKey } from './key-ring.ts';
import type { KmsState } from './state.ts';

/** A blob made with the current material of a symmetric encryption key. */
export function sealWith(
  state: KmsState,
  key: LoadedKey,
  plaintext: Uint8Array,
  context: EncryptionContext | undefined,
): Buffer {
  const { id, key: material } = key.current;
  const header = { account: key.record.account, keyId: key.record.id, materialId: id };
  return seal(header, material, plaintext, context, state.random);
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
export function sealingMaterial(key: LoadedKey, ciphertext: Uint8Array): KeyObject {
  const material = key.material(readHeader(ciphertext).materialId);
  if (!material) throw invalidCiphertext();
  return material;
}
