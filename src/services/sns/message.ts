import { hash } from 'node:crypto';
import type { MessageAttributeValue } from '@aws-sdk/client-sns';
import type { MessageAttribute } from '../../events/index.ts';
import { invalidParameter, invalidValue } from './errors.ts';

/** A message as it was published, checked. */
export interface Message {
  /** What was given; with `perProtocol` the JSON of it. */
  readonly text: string;
  /** MessageStructure json: what each protocol gets, `default` the others. */
  readonly perProtocol?: Readonly<Record<string, string>>;
  readonly subject?: string | undefined;
  readonly attributes: Readonly<Record<string, MessageAttribute>>;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
  /** Bytes that count against the topic's maximum. */
  readonly size: number;
}

/** What Publish and an entry of PublishBatch have in common. */
export interface MessageInput {
  readonly Message?: string | undefined;
  readonly Subject?: string | undefined;
  readonly MessageStructure?: string | undefined;
  readonly MessageAttributes?: Readonly<Record<string, MessageAttributeValue>> | undefined;
  readonly MessageGroupId?: string | undefined;
  readonly MessageDeduplicationId?: string | undefined;
}

const ID = /^[\x21-\x7e]{1,128}$/;

/** Checks a message. Throws InvalidParameter or ParameterValueInvalid. `endpoint`: it goes to a single mobile device. */
export function readMessage(input: MessageInput, { endpoint = false } = {}): Message {
  const {
    Message: text = '',
    MessageDeduplicationId: deduplicationId,
    MessageGroupId: groupId,
    Subject: subject,
  } = input;
  if (subject !== undefined) checkSubject(subject);
  if (text === '') throw invalidParameter('Empty message');
  const attributes = readMessageAttributes(input.MessageAttributes);
  const structure = input.MessageStructure;
  if (structure !== undefined && structure !== '' && structure !== 'json') throw invalidParameter('MessageStructure');
  if (groupId !== undefined && !ID.test(groupId)) {
    throw invalidParameter(
      'MessageGroupId Reason: can only include alphanumeric and punctuation characters. 1 to 128 in length',
    );
  }
  if (deduplicationId !== undefined && !ID.test(deduplicationId)) {
    throw invalidParameter(
      'MessageDeduplicationId Reason: can only include alphanumeric and punctuation characters. 1 to 128 in length',
    );
  }
  return {
    text,
    ...(structure === 'json' ? { perProtocol: readStructure(text, endpoint) } : {}),
    subject,
    attributes,
    groupId,
    deduplicationId,
    size: messageSize(text, attributes),
  };
}

/** What subscriptions of a protocol get. */
export function textFor({ perProtocol, text }: Message, protocol: string): string {
  if (!perProtocol) return text;
  return (Object.hasOwn(perProtocol, protocol) ? perProtocol[protocol] : perProtocol.default) ?? '';
}

/** Two messages of the same content are the same. Source: API Reference, "Publish": MessageDeduplicationId. */
export const contentDeduplicationId = ({ text }: Message): string => hash('sha256', text);

/** Less than 100 characters without line breaks and control characters. Source: API Reference, "Publish". */
function checkSubject(subject: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (subject === '' || subject.length > 100 || /[\u0000-\u001f\u007f]/.test(subject))
    throw invalidParameter('Subject');
}

/** Values that are not texts are left out. */
function readStructure(text: string, endpoint: boolean): Readonly<Record<string, string>> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw invalidParameter('Message Structure - JSON message body failed to parse');
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw invalidParameter('Message Structure - JSON message body failed to parse');
  }
  const texts = Object.fromEntries(
    Object.entries(document).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  if (!endpoint && !Object.hasOwn(texts, 'default')) {
    throw invalidParameter('Message Structure - No default entry in JSON message body');
  }
  return texts;
}

/** Throws ParameterValueInvalid. Source: SNS Developer Guide, "Amazon SNS message attributes". */
export function readMessageAttributes(
  given: Readonly<Record<string, MessageAttributeValue>> | undefined,
): Record<string, MessageAttribute> {
  return Object.fromEntries(Object.entries(given ?? {}).map(([name, value]) => [name, readAttribute(name, value)]));
}

function readAttribute(
  name: string,
  { BinaryValue, DataType = '', StringValue }: MessageAttributeValue,
): MessageAttribute {
  checkAttributeName(name);
  if (!/^(String|Number|Binary)(\.[\w.-]+)?$/.test(DataType) || DataType.length > 256) {
    throw invalidValue(
      `The message attribute '${name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.`,
    );
  }
  const binary = DataType.startsWith('Binary');
  if (BinaryValue === undefined && StringValue === undefined) throw emptyAttribute(name, DataType);
  if ((binary ? BinaryValue : StringValue) === undefined) {
    throw invalidValue(
      `The message attribute '${name}' with type '${DataType}' must use field '${binary ? 'Binary' : 'String'}'.`,
    );
  }
  if (binary) {
    if (BinaryValue!.length === 0) throw emptyAttribute(name, DataType);
    return { dataType: DataType, binaryValue: BinaryValue! };
  }
  if (StringValue === '') throw emptyAttribute(name, DataType);
  if (DataType.startsWith('Number') && !/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(StringValue!)) {
    throw invalidValue(`Could not cast message attribute '${name}' value to number.`);
  }
  if (DataType === 'String.Array') checkArray(name, StringValue!);
  return { dataType: DataType, stringValue: StringValue! };
}

/** Strings, numbers, true, false and null; nothing nested. */
function checkArray(name: string, text: string): void {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch {
    values = undefined;
  }
  if (!Array.isArray(values) || values.some((value) => typeof value === 'object' && value !== null)) {
    throw invalidValue(
      `The message attribute '${name}' with type 'String.Array' must be a JSON array of strings, numbers, true, false and null.`,
    );
  }
}

const emptyAttribute = (name: string, type: string) =>
  invalidValue(
    `The message attribute '${name}' must contain non-empty message attribute value for message attribute type '${type}'.`,
  );

function checkAttributeName(name: string): void {
  if (name.length > 256) throw invalidValue('Length of message attribute name must be less than 256 bytes.');
  const strange = [...name].find((character) => !/[\w.-]/.test(character));
  if (strange !== undefined || name === '') {
    const code = (strange?.codePointAt(0) ?? 0).toString(16).toUpperCase();
    throw invalidValue(
      `Invalid non-alphanumeric character '#x${code}' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.`,
    );
  }
  if (name.startsWith('.')) throw invalidValue("Invalid message attribute name starting with character '.' was found.");
  if (name.endsWith('.')) throw invalidValue("Invalid message attribute name ending with character '.' was found.");
  if (name.includes('..')) throw invalidValue("Message attribute name can not have successive '.' character.");
}

/** The message, and names, types and values of its attributes. */
export function messageSize(text: string, attributes: Readonly<Record<string, MessageAttribute>>): number {
  let size = Buffer.byteLength(text);
  for (const [name, { binaryValue, dataType, stringValue = '' }] of Object.entries(attributes)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(dataType);
    size += binaryValue?.length ?? Buffer.byteLength(stringValue);
  }
  return size;
}
