import { isIPv4, isIPv6 } from 'node:net';
import { refused, validation } from './errors.ts';

const HOSTNAME = /^(?=.{1,253}$)[a-z\d]([a-z\d-]{0,61}[a-z\d])?(\.[a-z\d]([a-z\d-]{0,61}[a-z\d])?)*$/i;

/** What a value must be. Source: API Reference, "PutParameter", `DataType`. */
const TYPES: Readonly<Record<string, (value: string) => boolean>> = {
  text: () => true,
  'aws:region': (value) => /^[a-z]{2}(-[a-z]+)+-\d$/.test(value),
  'aws:account:id': (value) => /^\d{12}$/.test(value),
  boolean: (value) => value === 'true' || value === 'false',
  integer: (value) => /^[+-]?\d+$/.test(value),
  float: (value) => /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(value),
  hostname: (value) => HOSTNAME.test(value),
  email: (value) => /^[^\s@]{1,64}@[^\s@]+$/.test(value) && HOSTNAME.test(value.slice(value.lastIndexOf('@') + 1)),
  'ipv4-address': isIPv4,
  'ipv6-address': isIPv6,
  url: (value) => URL.canParse(value),
  json: isJson,
};

const REFUSED: Readonly<Record<string, string>> = {
  'aws:ec2:image': 'There are no machine images here; use text.',
  'aws:ssm:integration': 'Parameters are not used to call other systems; use a SecureString of data type text.',
  binary: 'Use text with a Base64 value.',
  jsonc: 'Use json, or text.',
};

/** These need the advanced tier. */
export const ADVANCED_DATA_TYPES: readonly string[] = ['url', 'json'];

/** Throws ValidationException for a type that is not known or a value that is not of it. */
export function checkDataType(dataType: string, value: string): void {
  const reason = Object.hasOwn(REFUSED, dataType) ? REFUSED[dataType] : undefined;
  if (reason !== undefined) throw refused(`The data type ${dataType}`, reason);
  const fits = Object.hasOwn(TYPES, dataType) ? TYPES[dataType] : undefined;
  if (!fits) {
    throw validation(`The following data type is not supported: ${dataType} (Data type names are all lowercase.)`);
  }
  if (!fits(value)) throw validation(`The parameter value is not valid for the data type ${dataType}.`);
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
