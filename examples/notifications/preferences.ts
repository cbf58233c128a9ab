/** How a customer wants to be told; kept as `<customer>.json`. */
export interface Preferences {
  readonly name: string;
  readonly channels: readonly ('email' | 'sms' | 'push')[];
  readonly email?: string;
  /** `+4915112345678` */
  readonly phone?: string;
  /** ARN of the platform endpoint that stands for the customer's phone. */
  readonly device?: string;
}
