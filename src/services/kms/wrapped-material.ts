import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from 'node:crypto';
import { ServiceError } from '../../base/errors.ts';
import { invalidCiphertext } from './errors.ts';
import { type KeySpecName, specInfo } from './key-specs.ts';

/** The initial value of AES key wrap with padding. Source: RFC 5649, section 3. */
const KEY_WRAP_IV = Buffer.from('a65959a6', 'hex');
const AES_256_BYTES = 32;

/** Opens material that was encrypted for import. Throws InvalidCiphertextException. */
export function openWrapped(algorithm: string, privateKey: string, encrypted: Uint8Array): Buffer {
  const key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  const oaep = (bytes: Uint8Array) =>
    privateDecrypt(
      {
        key,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256',
      },
      bytes,
    );
  try {
    if (algorithm.startsWith('RSAES_OAEP')) return oaep(encrypted);
    // RSA_AES_KEY_WRAP: an AES key under RSA, then the material under that. Source: PKCS #11, CKM_RSA_AES_KEY_WRAP.
    const first = key.asymmetricKeyDetails!.modulusLength! / 8;
    const aesKey = oaep(encrypted.subarray(0, first));
    if (aesKey.length !== AES_256_BYTES) throw invalidCiphertext();
    const unwrap = createDecipheriv('id-aes256-wrap-pad', aesKey, KEY_WRAP_IV);
    return Buffer.concat([unwrap.update(encrypted.subarray(first)), unwrap.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

/** The material as it is kept, when it is right for the key spec. Throws IncorrectKeyMaterialException. */
export function checkedMaterial(spec: KeySpecName, bytes: Buffer): Buffer {
  const { material } = specInfo(spec);
  if (material.kind === 'secret') {
    if (bytes.length !== material.bytes) throw incorrectMaterial();
    return bytes;
  }
  let key: ReturnType<typeof createPrivateKey>;
  try {
    key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
  } catch {
    throw incorrectMaterial();
  }
  const details = key.asymmetricKeyDetails;
  const fits =
    key.asymmetricKeyType === material.kind &&
    (material.kind !== 'rsa' || details?.modulusLength === material.bits) &&
    (material.kind !== 'ec' || details?.namedCurve === material.curve);
  if (!fits) throw incorrectMaterial();
  return key.export({ format: 'der', type: 'pkcs8' });
}

export const incorrectMaterial = (): ServiceError =>
  new ServiceError(
    'IncorrectKeyMaterialException',
    'The key material in the request is expired, invalid, or is not the same key material that was previously imported into this KMS key.',
  );
