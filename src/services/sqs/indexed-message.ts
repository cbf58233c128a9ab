/** Before it is visible for the first time, while it can be received, and while somebody has it. */
export type MessageStage = 'delayed' | 'visible' | 'inFlight' | 'gone';

/** What memory holds of a message; its body is in the store. About 150 bytes. */
export class IndexedMessage {
  /** Tells it from others of its queue: part of its key. */
  readonly place: number;
  /** Where it stands among the others: its place, or in FIFO queues the order of the commits. */
  readonly order: number;
  /** Epoch ms: the retention period counts from here. */
  readonly sent: number;
  readonly groupId: string | undefined;
  stage: MessageStage = 'visible';
  /** Epoch ms until which it is delayed or in flight. */
  hiddenUntil = 0;
  /** Receives so far, those in an earlier queue not counted. */
  receives = 0;
  /** Epoch ms of the first receive; 0 before. */
  firstReceive = 0;
  /** Tells the last receive's handle from earlier ones. */
  nonce = 0;

  constructor(place: number, order: number, sent: number, groupId: string | undefined) {
    this.place = place;
    this.order = order;
    this.sent = sent;
    this.groupId = groupId;
  }
}
