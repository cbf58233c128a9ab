import { createHash, hash } from 'node:crypto';
import type { MessageAttribute } from '../../events/index.ts';

/** MD5, hexadecimal, of a message's body. */
export const md5OfBody = (body: string): string => hash('md5', body);

const STRING_VALUE = 1;
const BINARY_VALUE = 2;

/**
 * MD5, hexadecimal, of message attributes; `undefined` when there are none. By name, each as: length and name, length and
 * data type, one byte for the kind of value, length and value; lengths take four bytes.
 * Source: SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
 */
export function md5OfAttributes(
  attributes: Readonly<Record<string, MessageAttribute>> | undefined,
): string | undefined {
  if (attributes === undefined) return undefined;
  const names = Object.keys(attributes).sort();
  if (names.length === 0) return undefined;
  const digest = createHash('md5');
  const add = (value: Uint8Array): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    digest.update(length).update(value);
  };
  for (const name of names) {
    const { binaryValue, dataType, stringValue = '' } = attributes[name]!;
    add(Buffer.from(name));
    add(Buffer.from(dataType));
    const binary = dataType.startsWith('Binary');
    digest.update(Buffer.of(binary ? BINARY_VALUE : STRING_VALUE));
    add(binary ? (binaryValue ?? new Uint8Array()) : Buffer.from(stringValue));
  }
  return digest.digest('hex');
}
