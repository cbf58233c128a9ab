import type { MessageAttributeValue, MessageSystemAttributeValue } from '@aws-sdk/client-sqs';
import type { MessageAttribute } from '../../events/index.ts';
import { invalidMessageContents, invalidParameterValue } from './errors.ts';

const MAX_ATTRIBUTES = 10;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Throws InvalidMessageContents. Source: SQS API Reference, "SendMessage". */
export function checkCharacters(text: string, what: string): void {
  if (FORBIDDEN.test(text) || !text.isWellFormed()) throw invalidMessageContents(what);
}

/** Attributes as they are kept. Throws InvalidParameterValue. Source: SQS Developer Guide, "Amazon SQS message metadata". */
export function readAttributes(
  given: Readonly<Record<string, MessageAttributeValue>> | undefined,
): Record<string, MessageAttribute> | undefined {
  const entries = Object.entries(given ?? {});
  if (entries.length === 0) return undefined;
  if (entries.length > MAX_ATTRIBUTES) {
    throw invalidParameterValue(
      `Number of message attributes [${entries.length}] exceeds the allowed maximum [${MAX_ATTRIBUTES}].`,
    );
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, readAttribute(name, value)]));
}

function readAttribute(name: string, value: MessageAttributeValue): MessageAttribute {
  checkName(name);
  const { BinaryListValues, BinaryValue, DataType, StringListValues, StringValue } = value;
  if (StringListValues?.length || BinaryListValues?.length) {
    throw invalidParameterValue('Message attribute list values in SendMessage operation are not supported.');
  }
  if (DataType === undefined || DataType === '') {
    throw invalidParameterValue(`The message attribute '${name}' must contain a non-empty message attribute type.`);
  }
  if (DataType.length > 256 || !/^(String|Number|Binary)(\.[\w.-]+)?$/.test(DataType)) {
    throw invalidParameterValue(
      `The type of message (user) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
    );
  }
  if (DataType.startsWith('Binary')) {
    if (BinaryValue === undefined || BinaryValue.length === 0) throw emptyValue(name, DataType);
    return { dataType: DataType, binaryValue: BinaryValue };
  }
  if (StringValue === undefined || StringValue === '') throw emptyValue(name, DataType);
  checkCharacters(StringValue, `message attribute '${name}'`);
  if (DataType.startsWith('Number') && !isNumber(StringValue)) {
    throw invalidParameterValue(`Could not cast message attribute '${name}' value to number.`);
  }
  return { dataType: DataType, stringValue: StringValue };
}

const emptyValue = (name: string, type: string) =>
  invalidParameterValue(
    `The message attribute '${name}' must contain a non-empty message attribute value for message attribute type '${type}'.`,
  );

/**
 * Up to 38 digits, from 10^-128 to 10^126. Source: the same page. The length comes first: each text has one way to fit the
 * expression, but a long one that does not fit should not be gone through.
 */
const isNumber = (text: string): boolean =>
  text.length <= 256 && /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text);

function checkName(name: string): void {
  const valid = /^[A-Za-z0-9_.-]{1,256}$/.test(name) && !/^(aws|amazon)\./i.test(name) && !/^\.|\.$|\.\./.test(name);
  if (!valid) {
    throw invalidParameterValue(
      `The message attribute name '${name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters.`,
    );
  }
}

/** The one system attribute that can be sent. Throws InvalidParameterValue. */
export function readTraceHeader(
  given: Readonly<Record<string, MessageSystemAttributeValue>> | undefined,
): MessageAttribute | undefined {
  let header: MessageAttribute | undefined;
  for (const [name, { DataType, StringValue }] of Object.entries(given ?? {})) {
    if (name !== 'AWSTraceHeader') {
      throw invalidParameterValue(
        `Message system attribute name '${name}' is invalid. Only AWSTraceHeader is supported.`,
      );
    }
    if (DataType !== 'String' || !StringValue) {
      throw invalidParameterValue(`The message system attribute '${name}' must be a non-empty String.`);
    }
    header = { dataType: DataType, stringValue: StringValue };
  }
  return header;
}

/** Bytes that count against a queue's MaximumMessageSize: the body, and names, types and values of attributes. */
export function messageSize(body: string, attributes: Readonly<Record<string, MessageAttribute>> | undefined): number {
  let size = Buffer.byteLength(body);
  if (attributes === undefined) return size;
  for (const [name, { binaryValue, dataType, stringValue = '' }] of Object.entries(attributes)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(dataType);
    size += binaryValue?.length ?? Buffer.byteLength(stringValue);
  }
  return size;
}
