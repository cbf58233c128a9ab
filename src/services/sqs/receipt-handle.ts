import { receiptHandleIsInvalid } from './errors.ts';

/** What a receipt handle says: of which message, and of which receive. */
export interface ReceiptHandle {
  readonly queueId: string;
  readonly place: number;
  readonly nonce: number;
}

export function encodeHandle({ queueId, place, nonce }: ReceiptHandle): string {
  return Buffer.from(`${queueId} ${place} ${nonce}`, 'latin1').toString('base64');
}

/** Throws ReceiptHandleIsInvalid, also for a handle of another queue. */
export function decodeHandle(text: string, queueId: string): ReceiptHandle {
  const match = /^(\S+) (\d{1,16}) (\d{1,16})$/.exec(Buffer.from(text, 'base64').toString('latin1'));
  if (!match || match[1] !== queueId) throw receiptHandleIsInvalid(text);
  return { queueId, place: Number(match[2]), nonce: Number(match[3]) };
}
