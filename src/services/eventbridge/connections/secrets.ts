import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import type { Encryption, KeyUser } from '../../encryption.ts';
import type { Principal } from '../../service.ts';
import { PRINCIPAL } from '../invocation.ts';
import type { Place } from '../records.ts';
import { type ConnectionRecord, type Credentials, connectionArn, type SealedCredentials } from './records.ts';

const DEFAULT_KEY = 'alias/aws/events';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** How long credentials are remembered in the clear. */
const REMEMBERED_MS = 60_000;
const MOST_REMEMBERED = 1000;

/** Encrypts what connections authorize with, by KMS. */
export class ConnectionSecrets {
  readonly #parts: { readonly clock: Clock; readonly encryption: Encryption; readonly random: Random };
  readonly #opened = new Map<string, { readonly credentials: Credentials; readonly until: number }>();

  constructor(parts: { readonly clock: Clock; readonly encryption: Encryption; readonly random: Random }) {
    this.#parts = parts;
  }

  /** `principal`: who gives the credentials; with a key of their own it is they who must be allowed to use it. */
  async seal(
    place: Place,
    connection: Pick<ConnectionRecord, 'id' | 'kmsKey' | 'name'>,
    credentials: Credentials,
    principal: Principal,
  ): Promise<SealedCredentials> {
    const { encryption, random } = this.#parts;
    const arn = connectionArn(place, connection);
    const key = await encryption.generateDataKey(connection.kmsKey ?? DEFAULT_KEY, contextOf(arn), {
      service: PRINCIPAL,
      principal,
      ...whereOf(place),
    });
    const iv = random.bytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, key.plaintext, iv);
    const content = Buffer.concat([
      iv,
      cipher.update(JSON.stringify(credentials), 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return { dataKey: key.ciphertext, content };
  }

  /** `principal`: who asks; EventBridge in the name of the account unless told. */
  async open(place: Place, connection: ConnectionRecord, principal?: Principal): Promise<Credentials | undefined> {
    const { clock, encryption } = this.#parts;
    const { sealed } = connection;
    if (!sealed) return undefined;
    const arn = connectionArn(place, connection);
    const name = `${arn} ${connection.generation}`;
    const known = this.#opened.get(name);
    if (known && known.until > clock.now()) return known.credentials;
    const user: KeyUser = { service: PRINCIPAL, principal: principal ?? accountOf(place), ...whereOf(place) };
    const key = await encryption.decrypt(sealed.dataKey, contextOf(arn), user);
    const content = Buffer.from(sealed.content);
    const decipher = createDecipheriv(CIPHER, key, content.subarray(0, IV_BYTES));
    decipher.setAuthTag(content.subarray(-TAG_BYTES));
    const text = Buffer.concat([decipher.update(content.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString();
    const credentials = JSON.parse(text) as Credentials;
    if (this.#opened.size >= MOST_REMEMBERED) this.#opened.clear();
    this.#opened.set(name, { credentials, until: clock.now() + REMEMBERED_MS });
    return credentials;
  }
}

/** AWS has a service-linked role for it; here it is the account itself that the key has to be open to. */
function accountOf({ account }: Place): Principal {
  return { type: 'Root', account, arn: `arn:aws:iam::${account}:root`, userId: account, accessKeyId: undefined };
}

const contextOf = (arn: string) => ({ 'aws:events:connection:arn': arn });
const whereOf = ({ account, region }: Place) => ({ account, region });
