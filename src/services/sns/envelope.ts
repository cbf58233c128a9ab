import type { MessageAttribute } from '../../events/index.ts';

/** What SNS says about a message besides the message itself. Names are those of its JSON. */
export interface Envelope {
  readonly Type: 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation';
  readonly MessageId: string;
  readonly SequenceNumber?: string | undefined;
  readonly Token?: string | undefined;
  readonly TopicArn: string;
  readonly Subject?: string | undefined;
  readonly Message: string;
  readonly SubscribeURL?: string | undefined;
  /** `2026-01-01T00:00:00.000Z` */
  readonly Timestamp: string;
  readonly SignatureVersion?: string | undefined;
  readonly Signature?: string | undefined;
  readonly SigningCertURL?: string | undefined;
  readonly UnsubscribeURL?: string | undefined;
  readonly MessageAttributes?: Readonly<Record<string, { readonly Type: string; readonly Value: string }>> | undefined;
}

/** Order of members, as AWS writes them. */
const MEMBERS = [
  'Type',
  'MessageId',
  'SequenceNumber',
  'Token',
  'TopicArn',
  'Subject',
  'Message',
  'SubscribeURL',
  'Timestamp',
  'SignatureVersion',
  'Signature',
  'SigningCertURL',
  'UnsubscribeURL',
] as const satisfies readonly (keyof Envelope)[];

/** Members that are signed, in order. Source: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages". */
const SIGNED = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
  UnsubscribeConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
} as const satisfies Readonly<Record<Envelope['Type'], readonly (keyof Envelope)[]>>;

/** The text that is signed. */
export function stringToSign(envelope: Envelope): string {
  return SIGNED[envelope.Type]
    .filter((name) => envelope[name] !== undefined)
    .map((name) => `${name}\n${envelope[name]}\n`)
    .join('');
}

/** As queues, HTTP endpoints and e-mail-json get it: indented and spaced as AWS does it. */
export function envelopeText(envelope: Envelope): string {
  const lines = MEMBERS.filter((name) => envelope[name] !== undefined).map(
    (name) => `  "${name}" : ${JSON.stringify(envelope[name])}`,
  );
  const attributes = Object.entries(envelope.MessageAttributes ?? {});
  if (attributes.length > 0) {
    const entries = attributes.map(([name, value]) => `    ${JSON.stringify(name)} : ${JSON.stringify(value)}`);
    lines.push(`  "MessageAttributes" : {\n${entries.join(',\n')}\n  }`);
  }
  return `{\n${lines.join(',\n')}\n}`;
}

/** The event that a function gets. Source: Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS notifications". */
export function lambdaEvent(subscriptionArn: string, envelope: Envelope): string {
  const { MessageAttributes = {}, SigningCertURL, Subject = null, UnsubscribeURL, ...rest } = envelope;
  return JSON.stringify({
    Records: [
      {
        EventSource: 'aws:sns',
        EventVersion: '1.0',
        EventSubscriptionArn: subscriptionArn,
        Sns: {
          Type: rest.Type,
          MessageId: rest.MessageId,
          ...(rest.Token === undefined ? {} : { Token: rest.Token, SubscribeUrl: rest.SubscribeURL }),
          TopicArn: rest.TopicArn,
          Subject,
          Message: rest.Message,
          Timestamp: rest.Timestamp,
          SignatureVersion: rest.SignatureVersion,
          Signature: rest.Signature,
          SigningCertUrl: SigningCertURL,
          UnsubscribeUrl: UnsubscribeURL,
          MessageAttributes,
        },
      },
    ],
  });
}

/** Attributes as envelopes have them: bytes in base64. */
export function envelopeAttributes(
  attributes: Readonly<Record<string, MessageAttribute>>,
): NonNullable<Envelope['MessageAttributes']> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { binaryValue, dataType, stringValue = '' }]) => [
      name,
      { Type: dataType, Value: binaryValue ? Buffer.from(binaryValue).toString('base64') : stringValue },
    ]),
  );
}
