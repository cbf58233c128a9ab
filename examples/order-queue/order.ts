/** What a customer wants to pay. */
export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly amount: number;
  /** ISO 4217, `EUR`. */
  readonly currency: string;
}
