/** When something runs: again and again, or once. Times are epoch milliseconds. */
export interface ScheduleExpression {
  readonly kind: ScheduleKind;
  /**
   * The first time after `afterMs` (exclusive), `undefined` when there is none. A rate is counted from `anchorMs`, which is
   * itself its first time; without an anchor it is counted from `afterMs`. Others ignore the anchor.
   */
  next(afterMs: number, anchorMs?: number): number | undefined;
}

export type ScheduleKind = 'rate' | 'cron' | 'at';

/** The text is not a schedule expression, or not one that is allowed here. The message says why and, if known, what to write. */
export class InvalidScheduleError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidScheduleError';
  }
}
