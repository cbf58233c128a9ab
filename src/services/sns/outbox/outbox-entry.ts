/** What the outside world would have got: an e-mail, a text message or a notification of a mobile device. */
export interface OutboxEntry {
  /** Grows with each entry of an account. */
  readonly id: number;
  readonly account: string;
  readonly region: string;
  readonly kind: OutboxKind;
  /** E-mail address, phone number, or ARN of the endpoint. */
  readonly to: string;
  /** Sender as the receiver sees it. */
  readonly from?: string | undefined;
  readonly subject?: string | undefined;
  readonly body: string;
  readonly messageId?: string | undefined;
  readonly topicArn?: string | undefined;
  /** Epoch ms. */
  readonly time: number;
  /** Confirms the subscription when visited. */
  readonly confirmationUrl?: string | undefined;
  readonly unsubscribeUrl?: string | undefined;
  /** Mobile devices: `GCM`, `APNS` … and the device. */
  readonly platform?: string | undefined;
  readonly deviceToken?: string | undefined;
  /** What the service of the platform, or of text messages, is told besides: `AWS.SNS.SMS.SMSType` … */
  readonly options?: Readonly<Record<string, string>> | undefined;
}

export type OutboxKind = 'email' | 'sms' | 'push';

export const OUTBOX_KINDS: readonly OutboxKind[] = ['email', 'sms', 'push'];

/** Which entries. */
export interface OutboxQuery {
  readonly account: string;
  readonly region?: string | undefined;
  readonly kind?: OutboxKind | undefined;
  readonly to?: string | undefined;
}
