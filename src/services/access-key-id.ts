import type { Random } from '../base/random.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Digits that follow the four-letter prefix. */
const LENGTH = 16;

/**
 * Makes an access key id that carries its account as real ones do: 80 bits in base 32 after the prefix; one set bit,
 * 40 bits of account number, 39 random bits. So the account is known without a look-up (STS `GetAccessKeyInfo`).
 */
export function createAccessKeyId(prefix: 'AKIA' | 'ASIA', account: string, random: Random): string {
  const noise = random.bytes(5).reduce((value, byte) => (value << 8n) | BigInt(byte), 0n) & ((1n << 39n) - 1n);
  let bits = (1n << 79n) | (BigInt(account) << 39n) | noise;
  let text = '';
  for (let index = 0; index < LENGTH; index++) {
    text = BASE32[Number(bits & 31n)] + text;
    bits >>= 5n;
  }
  return prefix + text;
}

/** The account that an access key id carries; `undefined` when it is not of this form. */
export function accountOfAccessKeyId(accessKeyId: string): string | undefined {
  if (!/^A[A-Z]{3}[A-Z2-7]{16}$/.test(accessKeyId)) return undefined;
  let bits = 0n;
  for (const character of accessKeyId.slice(4)) bits = (bits << 5n) | BigInt(BASE32.indexOf(character));
  const account = (bits >> 39n) & ((1n << 40n) - 1n);
  return account > 999_999_999_999n ? undefined : String(account).padStart(12, '0');
}
