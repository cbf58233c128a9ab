import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../../base/random.ts';
import { materialPurpose } from './key-ring.ts';
import type { Material } from './key-specs.ts';
import type { MaterialRecord } from './records.ts';
import type { RootKey } from './root-key.ts';

const makePair = promisify(generateKeyPair) as unknown as (
  type: string,
  options: object,
) => Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }>;

/** A new key pair. RSA takes up to seconds, on a thread of its own. */
export function generatePair(
  material: Exclude<Material, { readonly kind: 'secret' }>,
): Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }> {
  if (material.kind === 'rsa') return makePair('rsa', { modulusLength: material.bits, publicExponent: 0x10001 });
  if (material.kind === 'ec') return makePair('ec', { namedCurve: material.curve });
  return makePair(material.kind, {});
}

/** New material: raw bytes of a secret, PKCS #8 of a private key. */
export async function generateMaterial(material: Material, random: Random): Promise<Uint8Array> {
  if (material.kind === 'secret') return random.bytes(material.bytes);
  const { privateKey } = await generatePair(material);
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}

/** What is stored of material. */
export function wrapMaterial(
  root: RootKey,
  key: { readonly account: string; readonly id: string },
  material: Uint8Array,
): Pick<MaterialRecord, 'id' | 'wrapped'> & { readonly wrapped: Uint8Array } {
  const id = root.materialId(key.id, material);
  return { id, wrapped: root.wrap(material, materialPurpose(key, id)) };
}
