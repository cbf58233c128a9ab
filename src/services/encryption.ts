import type { ServiceCaller } from './authorization.ts';
import type { Principal } from './service.ts';

/** In whose name a key is used. */
export interface KeyUser {
  /** `secretsmanager.amazonaws.com`: condition key `kms:ViaService`. */
  readonly service: string;
  /** The caller of the service, whose rights count. */
  readonly principal?: Principal;
  /** When the service acts by itself. */
  readonly caller?: ServiceCaller;
  readonly account: string;
  readonly region: string;
}

export interface EncryptedValue {
  readonly ciphertext: Uint8Array;
  /** ARN of the key that was used. */
  readonly keyArn: string;
}

/** Keys for other services: implemented by KMS. Throws KMS's own ServiceErrors (`NotFoundException`, `DisabledException`, …). */
export interface Encryption {
  /** `keyId`: an id, ARN or alias, `alias/aws/secretsmanager` … included. At most 4,096 bytes. */
  encrypt(
    keyId: string,
    plaintext: Uint8Array,
    context: Readonly<Record<string, string>>,
    user: KeyUser,
  ): Promise<EncryptedValue>;
  decrypt(ciphertext: Uint8Array, context: Readonly<Record<string, string>>, user: KeyUser): Promise<Uint8Array>;
  /** A new AES-256 key: in the clear and encrypted. */
  generateDataKey(
    keyId: string,
    context: Readonly<Record<string, string>>,
    user: KeyUser,
  ): Promise<EncryptedValue & { readonly plaintext: Uint8Array }>;
}
