import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Store } from '../../store/index.ts';
import type { Encryption, KeyUser } from '../encryption.ts';
import { ManagedKey } from './managed-key.ts';
import type { Queue } from './queue.ts';
import type { MessageRecord, SealingKey } from './records.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const DEFAULT_REUSE_SECONDS = 300;
/** Data keys kept in the clear, for reading. */
const MAX_KEPT_KEYS = 1000;

interface DataKey {
  readonly plaintext: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** Epoch ms. */
  readonly expires: number;
}

type Sealed = Pick<MessageRecord, 'body' | 'key'>;

/**
 * Encrypts bodies: of queues that have a KMS key with a data key of it, which is used again for a while; of those that leave
 * it to SQS with a key of its own. Source: SQS Developer Guide, "Encryption at rest in Amazon SQS" and "Amazon SQS Key
 * management": the reuse period, 1 minute to 24 hours.
 */
export class BodyEncryption {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #encryption: Encryption;
  readonly #managed: ManagedKey;
  /** By queue id. */
  readonly #writing = new Map<string, DataKey & { readonly keyId: string }>();
  /** By encrypted form. */
  readonly #reading = new Map<string, DataKey>();

  constructor(parts: {
    readonly store: Store;
    readonly clock: Clock;
    readonly random: Random;
    readonly encryption: Encryption;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#encryption = parts.encryption;
    this.#managed = new ManagedKey(parts);
  }

  /** True when the queue's bodies are encrypted. */
  applies({ record: { settings } }: Queue): boolean {
    return settings.kmsMasterKeyId !== undefined || settings.sqsManagedSseEnabled === true;
  }

  /** Throws KmsNotFound, KmsDisabled, KmsAccessDenied … */
  async seal(queue: Queue, body: string, user: Pick<KeyUser, 'principal' | 'caller'>): Promise<Sealed> {
    if (queue.record.settings.kmsMasterKeyId === undefined) {
      return { body: this.#encrypt(await this.#managed.get(), body) };
    }
    const key = await this.#keyFor(queue, user);
    return { body: this.#encrypt(key.plaintext, body), key: { ciphertext: key.ciphertext, queueArn: queue.arn } };
  }

  /** IV, ciphertext and tag. */
  #encrypt(key: Uint8Array, body: string): Buffer {
    const iv = this.#random.bytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    return Buffer.concat([iv, cipher.update(body, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  /** The body in the clear. */
  async open(queue: Queue, { body, key }: Sealed, user: Pick<KeyUser, 'principal' | 'caller'>): Promise<string> {
    if (typeof body === 'string') return body;
    const plaintext = key ? await this.#plaintextOf(queue, key, user) : await this.#managed.get();
    const decipher = createDecipheriv('aes-256-gcm', plaintext, body.subarray(0, IV_BYTES));
    decipher.setAuthTag(body.subarray(body.length - TAG_BYTES));
    const middle = decipher.update(body.subarray(IV_BYTES, body.length - TAG_BYTES));
    return Buffer.concat([middle, decipher.final()]).toString();
  }

  async #keyFor(queue: Queue, user: Pick<KeyUser, 'principal' | 'caller'>): Promise<DataKey> {
    const { kmsDataKeyReusePeriodSeconds = DEFAULT_REUSE_SECONDS, kmsMasterKeyId: keyId = '' } = queue.record.settings;
    const kept = this.#writing.get(queue.id);
    if (kept && kept.keyId === keyId && kept.expires > this.#clock.now()) return kept;
    const made = await translated(() =>
      this.#encryption.generateDataKey(keyId, contextOf(queue.arn), this.#user(queue, user)),
    );
    const key = {
      keyId,
      plaintext: made.plaintext,
      ciphertext: made.ciphertext,
      expires: this.#clock.now() + kmsDataKeyReusePeriodSeconds * 1000,
    };
    this.#writing.set(queue.id, key);
    return key;
  }

  async #plaintextOf(
    queue: Queue,
    { ciphertext, queueArn }: SealingKey,
    user: Pick<KeyUser, 'principal' | 'caller'>,
  ): Promise<Uint8Array> {
    const name = Buffer.from(ciphertext).toString('base64');
    const kept = this.#reading.get(name);
    if (kept && kept.expires > this.#clock.now()) return kept.plaintext;
    const { kmsDataKeyReusePeriodSeconds = DEFAULT_REUSE_SECONDS } = queue.record.settings;
    const plaintext = await translated(() =>
      this.#encryption.decrypt(ciphertext, contextOf(queueArn), this.#user(queue, user)),
    );
    if (this.#reading.size >= MAX_KEPT_KEYS) this.#reading.clear();
    const expires = this.#clock.now() + kmsDataKeyReusePeriodSeconds * 1000;
    this.#reading.set(name, { plaintext, ciphertext, expires });
    return plaintext;
  }

  #user({ record }: Queue, user: Pick<KeyUser, 'principal' | 'caller'>): KeyUser {
    return { service: 'sqs.amazonaws.com', account: record.account, region: record.region, ...user };
  }
}

/** The encryption context, as the same page has it. */
const contextOf = (queueArn: string): Record<string, string> => ({ 'aws:sqs:arn': queueArn });

const NAMES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'KmsAccessDenied',
  AccessDenied: 'KmsAccessDenied',
  DisabledException: 'KmsDisabled',
  InvalidKeyUsageException: 'KmsInvalidKeyUsage',
  KMSInvalidStateException: 'KmsInvalidState',
  NotFoundException: 'KmsNotFound',
  ThrottlingException: 'KmsThrottled',
};

/** KMS's errors under the names that SQS gives them. */
async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const name = error instanceof ServiceError ? NAMES[error.code] : undefined;
    if (name === undefined || !(error instanceof ServiceError)) throw error;
    throw new ServiceError(name, error.message, { status: 400, cause: error });
  }
}
