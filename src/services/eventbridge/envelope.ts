/** An event as rules see it. Source: EventBridge User Guide, "Amazon EventBridge events". */
export interface EventEnvelope {
  readonly version: string;
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  /** `2026-01-01T10:00:00Z` */
  readonly time: string;
  readonly region: string;
  readonly 'replay-name'?: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
}

/** To the second, as events tell the time. */
export function eventTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** The event as JSON. `detail`: its JSON as the sender wrote it, so that numbers keep all their digits. */
export function envelopeText(event: EventEnvelope, detail: string): string {
  const { detail: _, ...head } = event;
  return `${JSON.stringify(head).slice(0, -1)},"detail":${detail}}`;
}

/** An archived event as a replay sends it, with the replay's name. The detail stays as its sender wrote it. */
export function replayed(
  archived: string,
  replayName: string,
): { readonly event: EventEnvelope; readonly text: string } {
  const {
    version,
    id,
    'detail-type': detailType,
    source,
    account,
    time,
    region,
    resources,
    detail,
  } = JSON.parse(archived) as EventEnvelope;
  const head = { version, id, 'detail-type': detailType, source, account, time, region };
  const event: EventEnvelope = { ...head, 'replay-name': replayName, resources, detail };
  const start = JSON.stringify(head).slice(0, -1);
  // Other senders may have written their events in another order.
  if (!archived.startsWith(`${start},"resources":`)) return { event, text: JSON.stringify(event) };
  return { event, text: `${start},"replay-name":${JSON.stringify(replayName)}${archived.slice(start.length)}` };
}

/**
 * The event that another sender hands to a bus; what it left out is filled in. `undefined` when it is none: `source`,
 * `detail-type` and an object as `detail` are needed.
 */
export function readEnvelope(
  payload: Uint8Array,
  missing: Pick<EventEnvelope, 'account' | 'id' | 'region' | 'time'>,
): EventEnvelope | undefined {
  let given: Partial<EventEnvelope>;
  try {
    given = JSON.parse(Buffer.from(payload).toString());
  } catch {
    return undefined;
  }
  if (!isObject(given) || !isObject(given.detail)) return undefined;
  const { 'detail-type': detailType, source } = given;
  if (typeof source !== 'string' || typeof detailType !== 'string') return undefined;
  const text = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
  return {
    version: '0',
    // It becomes part of a key where events are archived.
    id: typeof given.id === 'string' && /^[\w-]{1,64}$/.test(given.id) ? given.id : missing.id,
    'detail-type': detailType,
    source,
    account: text(given.account, missing.account),
    time: text(given.time, missing.time),
    region: text(given.region, missing.region),
    ...(typeof given['replay-name'] === 'string' ? { 'replay-name': given['replay-name'] } : {}),
    resources: Array.isArray(given.resources) ? given.resources : [],
    detail: given.detail,
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
