import type { GetRandomPasswordCommandInput, GetRandomPasswordCommandOutput } from '@aws-sdk/client-secrets-manager';
import type { Random } from '../../../base/random.ts';
import { constraint, invalidParameter } from '../errors.ts';
import type { SecretsState } from '../state.ts';

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const MAX_LENGTH = 4096;

/** API Reference, "GetRandomPassword". */
export async function getRandomPassword(
  { random }: SecretsState,
  input: GetRandomPasswordCommandInput,
): Promise<Omit<GetRandomPasswordCommandOutput, '$metadata'>> {
  const length = input.PasswordLength ?? 32;
  if (length < 1) throw constraint(length, 'passwordLength', 'Member must have value greater than or equal to 1');
  if (length > MAX_LENGTH) {
    throw constraint(length, 'passwordLength', `Member must have value less than or equal to ${MAX_LENGTH}`);
  }
  const excluded = input.ExcludeCharacters ?? '';
  if (excluded.length > MAX_LENGTH) {
    throw constraint(excluded, 'excludeCharacters', `Member must have length less than or equal to ${MAX_LENGTH}`);
  }
  const types = [
    input.ExcludeLowercase ? '' : LOWER,
    input.ExcludeUppercase ? '' : UPPER,
    input.ExcludeNumbers ? '' : DIGITS,
    input.ExcludePunctuation ? '' : PUNCTUATION,
  ]
    .filter((type) => type !== '')
    .map((type) => without(type, excluded));
  const each = input.RequireEachIncludedType ?? true;
  if (each && types.some((type) => type === '')) {
    throw invalidParameter('ExcludeCharacters leaves no character of a type that is required.');
  }
  const space = input.IncludeSpace ? without(' ', excluded) : '';
  const alphabet = types.join('') + space;
  if (alphabet === '') throw invalidParameter('There are no characters left to make a password of.');
  const required = each ? types : [];
  if (required.length > length) {
    throw invalidParameter('Password length is too short based on the required types.');
  }
  const letters = [...required.map((type) => random.from(type, 1)), ...random.from(alphabet, length - required.length)];
  return { RandomPassword: shuffled(letters, random).join('') };
}

function without(letters: string, excluded: string): string {
  return [...letters].filter((letter) => !excluded.includes(letter)).join('');
}

/** Every order is as likely as any other. */
function shuffled(letters: string[], random: Random): string[] {
  for (let last = letters.length - 1; last > 0; last--) {
    const other = Math.floor(random.fraction() * (last + 1));
    [letters[last], letters[other]] = [letters[other]!, letters[last]!];
  }
  return letters;
}
