import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Random } from '../../base/random.ts';
import { makeCertificate } from '../../base/x509/certificate.ts';
import type { Store } from '../../store/index.ts';
import { type Envelope, stringToSign } from './envelope.ts';
import { keys } from './records.ts';

/** What is kept of the key: PKCS #8 and X.509, both as PEM, and the certificate's file name. */
interface SigningKeyRecord {
  readonly privateKey: string;
  readonly certificate: string;
  readonly fileName: string;
}

interface SigningKey extends SigningKeyRecord {
  readonly key: KeyObject;
}

const KEY_BITS = 2048;
const DAY = 86_400_000;
const VALID_DAYS = 3650;
/** Source: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages". */
const ALGORITHMS = { '1': 'RSA-SHA1', '2': 'RSA-SHA256' } as const;

/** Path of certificates, whatever the host: `/SimpleNotificationService-HASH.pem`. */
const CERTIFICATE_PATH = /^\/SimpleNotificationService-([\da-f]{32})\.pem$/;

/** Signs messages with a key that is made once and kept in the store. */
export class MessageSigner {
  readonly #store: Store;
  readonly #random: Random;
  #key: Promise<SigningKey> | undefined;

  constructor({ store, random }: { readonly store: Store; readonly random: Random }) {
    this.#store = store;
    this.#random = random;
  }

  /** The envelope with its signature, and the address of the certificate that proves it. */
  async signed(envelope: Envelope, version: '1' | '2', region: string): Promise<Envelope> {
    const { fileName, key } = await this.#signingKey();
    const signature = await promisify<string, Buffer, KeyObject, Buffer>(sign)(
      ALGORITHMS[version],
      Buffer.from(stringToSign(envelope)),
      key,
    );
    return {
      ...envelope,
      SignatureVersion: version,
      Signature: signature.toString('base64'),
      SigningCertURL: `https://sns.${region}.amazonaws.com/${fileName}`,
    };
  }

  /** The certificate of that path, as PEM; `undefined` when there is none. */
  async certificate(path: string): Promise<string | undefined> {
    if (!CERTIFICATE_PATH.test(path)) return undefined;
    const { certificate, fileName } = await this.#signingKey();
    return path === `/${fileName}` ? certificate : undefined;
  }

  #signingKey(): Promise<SigningKey> {
    this.#key ??= this.#load().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #load(): Promise<SigningKey> {
    const kept = await this.#store.get<SigningKeyRecord>(keys.signingKey());
    const record = kept?.value ?? (await this.#make());
    return { ...record, key: createPrivateKey(record.privateKey) };
  }

  async #make(): Promise<SigningKeyRecord> {
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: KEY_BITS });
    // The machine's time: whoever checks the certificate does so by it.
    const now = Date.now();
    const certificate = makeCertificate({
      subject: 'sns.amazonaws.com',
      publicKey: createPublicKey(privateKey),
      issuer: 'sns.amazonaws.com',
      issuerKey: privateKey,
      notBefore: now - DAY,
      notAfter: now + VALID_DAYS * DAY,
      serial: this.#random.bytes(16),
      use: { type: 'signer' },
    });
    const record: SigningKeyRecord = {
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificate,
      // A new key gets a new name, because validators remember certificates by it.
      fileName: `SimpleNotificationService-${this.#random.hex(32)}.pem`,
    };
    await this.#store.put(keys.signingKey(), record);
    return record;
  }
}
