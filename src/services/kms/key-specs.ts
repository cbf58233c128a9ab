export type KeyUsageName =
  | 'ENCRYPT_DECRYPT'
  | 'SIGN_VERIFY'
  | 'GENERATE_VERIFY_MAC'
  | 'KEY_AGREEMENT'
  | 'ENCAPSULATE_DECAPSULATE';

/** How the material of a key spec is made. */
export type Material =
  | { readonly kind: 'secret'; readonly bytes: number }
  | { readonly kind: 'rsa'; readonly bits: number }
  | { readonly kind: 'ec'; readonly curve: EcCurve }
  | { readonly kind: 'ed25519' | PostQuantumType };

export type EcCurve = 'prime256v1' | 'secp384r1' | 'secp521r1' | 'secp256k1';
export type PostQuantumType = 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87' | 'ml-kem-512' | 'ml-kem-768' | 'ml-kem-1024';

export interface KeySpecInfo {
  readonly material: Material;
  /** Algorithms by usage; a usage that is not here does not go with the key spec. */
  readonly algorithms: Readonly<Partial<Record<KeyUsageName, readonly string[]>>>;
}

const RSA_ALGORITHMS = {
  ENCRYPT_DECRYPT: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'],
  SIGN_VERIFY: [
    'RSASSA_PKCS1_V1_5_SHA_256',
    'RSASSA_PKCS1_V1_5_SHA_384',
    'RSASSA_PKCS1_V1_5_SHA_512',
    'RSASSA_PSS_SHA_256',
    'RSASSA_PSS_SHA_384',
    'RSASSA_PSS_SHA_512',
  ],
} as const;

const rsa = (bits: number): KeySpecInfo => ({ material: { kind: 'rsa', bits }, algorithms: RSA_ALGORITHMS });
const nist = (curve: EcCurve, algorithm: string): KeySpecInfo => ({
  material: { kind: 'ec', curve },
  algorithms: { SIGN_VERIFY: [algorithm], KEY_AGREEMENT: ['ECDH'] },
});
/** The length of a generated HMAC key is that of the hash. */
const hmac = (bits: number): KeySpecInfo => ({
  material: { kind: 'secret', bytes: bits / 8 },
  algorithms: { GENERATE_VERIFY_MAC: [`HMAC_SHA_${bits}`] },
});
const lattice = (
  kind: PostQuantumType,
  usage: 'SIGN_VERIFY' | 'ENCAPSULATE_DECAPSULATE',
  algorithm: string,
): KeySpecInfo => ({
  material: { kind },
  algorithms: { [usage]: [algorithm] },
});

/** Source: KMS Developer Guide, "Key spec reference". */
export const KEY_SPECS = {
  SYMMETRIC_DEFAULT: {
    material: { kind: 'secret', bytes: 32 },
    algorithms: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] },
  },
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: nist('prime256v1', 'ECDSA_SHA_256'),
  ECC_NIST_P384: nist('secp384r1', 'ECDSA_SHA_384'),
  ECC_NIST_P521: nist('secp521r1', 'ECDSA_SHA_512'),
  ECC_SECG_P256K1: {
    material: { kind: 'ec', curve: 'secp256k1' },
    algorithms: { SIGN_VERIFY: ['ECDSA_SHA_256'] },
  },
  ECC_NIST_EDWARDS25519: {
    material: { kind: 'ed25519' },
    algorithms: { SIGN_VERIFY: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'] },
  },
  HMAC_224: hmac(224),
  HMAC_256: hmac(256),
  HMAC_384: hmac(384),
  HMAC_512: hmac(512),
  ML_DSA_44: lattice('ml-dsa-44', 'SIGN_VERIFY', 'ML_DSA_SHAKE_256'),
  ML_DSA_65: lattice('ml-dsa-65', 'SIGN_VERIFY', 'ML_DSA_SHAKE_256'),
  ML_DSA_87: lattice('ml-dsa-87', 'SIGN_VERIFY', 'ML_DSA_SHAKE_256'),
  ML_KEM_512: lattice('ml-kem-512', 'ENCAPSULATE_DECAPSULATE', 'ML_KEM'),
  ML_KEM_768: lattice('ml-kem-768', 'ENCAPSULATE_DECAPSULATE', 'ML_KEM'),
  ML_KEM_1024: lattice('ml-kem-1024', 'ENCAPSULATE_DECAPSULATE', 'ML_KEM'),
} as const satisfies Record<string, KeySpecInfo>;

export type KeySpecName = keyof typeof KEY_SPECS;

export function specInfo(spec: KeySpecName): KeySpecInfo {
  return KEY_SPECS[spec];
}

/** The algorithms that a key can be used with. */
export function algorithmsOf(spec: KeySpecName, usage: KeyUsageName): readonly string[] {
  return specInfo(spec).algorithms[usage] ?? [];
}
