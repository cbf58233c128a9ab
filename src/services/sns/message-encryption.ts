import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Encryption, KeyUser } from '../encryption.ts';
import { topicArn } from './names.ts';
import type { TopicRecord } from './records.ts';

/** Who publishes: whose right to use the key counts. */
export type Publisher = Pick<KeyUser, 'caller' | 'principal'>;

/** What a message that is kept encrypted needs to be read again. Plain data: it is kept with its delivery. */
export interface Sealing {
  /** The data key, encrypted by the topic's key. */
  readonly dataKey: Uint8Array;
  readonly topicArn: string;
  readonly account: string;
  readonly region: string;
  readonly publisher: Publisher;
}

/** A data key in the clear. */
export interface OpenKey {
  readonly plaintext: Uint8Array;
  readonly sealing: Sealing;
}

interface Kept extends OpenKey {
  readonly keyId: string;
  /** Epoch ms. */
  readonly expires: number;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** How long a data key is used again. Source: SNS Developer Guide, "Managing Amazon SNS encryption keys and costs". */
const REUSE_MS = 5 * 60_000;
/** Data keys that are remembered. */
const MAXIMUM_KEYS = 1000;

/**
 * Keeps messages of topics with a KMS key encrypted while they wait to be delivered: the body, not its attributes.
 * Source: SNS Developer Guide, "Securing Amazon SNS data with server-side encryption".
 */
export class MessageEncryption {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #encryption: Encryption;
  /** By topic and publisher. */
  readonly #writing = new Map<string, Kept>();
  /** Plaintext by encrypted form. */
  readonly #reading = new Map<string, Uint8Array>();

  constructor(parts: { readonly clock: Clock; readonly random: Random; readonly encryption: Encryption }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#encryption = parts.encryption;
  }

  /** The key for a topic's messages; `undefined` when it has none. Throws KMSNotFound, KMSDisabled, KMSAccessDenied … */
  async keyFor(topic: TopicRecord, publisher: Publisher): Promise<OpenKey | undefined> {
    const { KmsMasterKeyId: keyId } = topic.attributes;
    if (keyId === undefined) return undefined;
    const arn = topicArn(topic);
    const name = `${arn} ${publisher.principal?.arn ?? ''} ${publisher.caller?.service ?? ''}`;
    const kept = this.#writing.get(name);
    if (kept?.keyId === keyId && kept.expires > this.#clock.now()) return kept;
    const { account, region } = topic;
    const made = await translated(() =>
      this.#encryption.generateDataKey(keyId, contextOf(arn), userOf({ account, region, publisher })),
    );
    const sealing: Sealing = { dataKey: made.ciphertext, topicArn: arn, account, region, publisher };
    const key: Kept = { keyId, plaintext: made.plaintext, sealing, expires: this.#clock.now() + REUSE_MS };
    if (this.#writing.size >= MAXIMUM_KEYS) this.#writing.clear();
    this.#writing.set(name, key);
    this.#remember(made.ciphertext, made.plaintext);
    return key;
  }

  seal({ plaintext }: OpenKey, content: Uint8Array): Uint8Array {
    const iv = this.#random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', plaintext, iv);
    return Buffer.concat([iv, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  }

  /** Makes the key ready for `open`. A key that cannot be used now is not ready: then `open` throws. */
  async ready({ dataKey, ...place }: Sealing): Promise<void> {
    if (this.#reading.has(nameOf(dataKey))) return;
    try {
      this.#remember(dataKey, await this.#encryption.decrypt(dataKey, contextOf(place.topicArn), userOf(place)));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
    }
  }

  /** The content in the clear. Throws when the key is not ready. */
  open({ dataKey }: Sealing, content: Uint8Array): Uint8Array {
    const key = this.#reading.get(nameOf(dataKey));
    if (!key) throw new Error('the KMS key of the topic cannot be used');
    const decipher = createDecipheriv('aes-256-gcm', key, content.subarray(0, IV_BYTES));
    decipher.setAuthTag(content.subarray(content.length - TAG_BYTES));
    const middle = decipher.update(content.subarray(IV_BYTES, content.length - TAG_BYTES));
    return Buffer.concat([middle, decipher.final()]);
  }

  #remember(dataKey: Uint8Array, plaintext: Uint8Array): void {
    if (this.#reading.size >= MAXIMUM_KEYS) this.#reading.clear();
    this.#reading.set(nameOf(dataKey), plaintext);
  }
}

const nameOf = (dataKey: Uint8Array): string => Buffer.from(dataKey).toString('base64');

/** The encryption context, as the same page has it. */
const contextOf = (arn: string): Record<string, string> => ({ 'aws:sns:topicArn': arn });

const userOf = ({ account, publisher, region }: Pick<Sealing, 'account' | 'publisher' | 'region'>): KeyUser => ({
  service: 'sns.amazonaws.com',
  account,
  region,
  ...publisher,
});

const NAMES: Readonly<Record<string, string>> = {
  AccessDenied: 'KMSAccessDenied',
  AccessDeniedException: 'KMSAccessDenied',
  DisabledException: 'KMSDisabled',
  InvalidKeyUsageException: 'KMSInvalidState',
  KMSInvalidStateException: 'KMSInvalidState',
  NotFoundException: 'KMSNotFound',
};

/** KMS's errors under the names that SNS gives them. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const name = error instanceof ServiceError ? NAMES[error.code] : undefined;
    if (name === undefined || !(error instanceof ServiceError)) throw error;
    throw new ServiceError(name, error.message, { status: 400, cause: error });
  }
}
