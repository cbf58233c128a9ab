import { parseArn } from '../../base/arn.ts';
import type { Random } from '../../base/random.ts';
import { constraint } from './errors.ts';
import type { SecretPlace } from './records.ts';

const SUFFIX_LENGTH = 6;
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const MAX_ID = 2048;

/** API Reference, "CreateSecret", `Name`. */
export function checkName(name: string): string {
  if (name.length > 512) throw constraint(name, 'name', 'Member must have length less than or equal to 512');
  if (/^[\w/+=.@!-]+$/.test(name)) return name;
  throw constraint(
    name,
    'name',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );
}

/** A new ARN: it ends with six random characters, so that policies for a secret do not fit a later one of its name. */
export function newArn({ account, region, name }: SecretPlace, random: Random): string {
  return `arn:aws:secretsmanager:${region}:${account}:secret:${name}-${random.from(LETTERS, SUFFIX_LENGTH)}`;
}

export function inRegion(arn: string, region: string): string {
  return arn.replace(/^(arn:[^:]+:[^:]+:)[^:]*/, `$1${region}`);
}

/** A secret that may be meant. */
export interface Candidate extends SecretPlace {
  /** The ARN that it must have; without one, the name says it all. */
  readonly arn: string | undefined;
}

/**
 * What a `SecretId` may mean, in the order in which to look: a name; an ARN; an ARN without the six characters. Source:
 * Secrets Manager User Guide, "Finding a secret from a partial ARN".
 */
export function candidates(
  secretId: string,
  { account, region }: Omit<SecretPlace, 'name'>,
): readonly [Candidate, ...Candidate[]] | undefined {
  if (secretId.length < 1 || secretId.length > MAX_ID) {
    throw constraint(secretId, 'secretId', `Member must have length between 1 and ${MAX_ID}`);
  }
  if (!secretId.startsWith('arn:')) return [{ account, region, name: secretId, arn: undefined }];
  const arn = parseArn(secretId);
  const name = /^secret:(.+)$/s.exec(arn?.resource ?? '')?.[1];
  if (arn?.service !== 'secretsmanager' || arn.region !== region || name === undefined) return undefined;
  const partial = { account: arn.account, region, name, arn: undefined };
  const whole = /^(.+)-[^-]{6}$/s.exec(name)?.[1];
  return whole === undefined ? [partial] : [{ ...partial, name: whole, arn: secretId }, partial];
}
