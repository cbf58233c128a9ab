import type {
  PutEventsCommandInput,
  PutEventsCommandOutput,
  PutEventsRequestEntry,
  PutEventsResultEntry,
} from '@aws-sdk/client-eventbridge';
import type { RequestContext } from '../../service.ts';
import { traceHeaderOf } from '../../trace-header.ts';
import { Constraints } from '../constraints.ts';
import { type EventEnvelope, envelopeText, eventTime, isObject } from '../envelope.ts';
import { invalid, refused } from '../errors.ts';
import type { Match } from '../publisher.ts';
import { type BusId, DEFAULT_BUS, parseBusArn } from '../records.ts';
import type { EventBridgeState } from '../state.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

const MAXIMUM_ENTRIES = 10;
/** Bytes. Source: EventBridge User Guide, "Amazon EventBridge PutEvents event entry size". */
const MAXIMUM_SIZE = 1024 * 1024;
const TIME_SIZE = 14;
const MAXIMUM_TRACE_HEADER = 500;

/**
 * Each entry is taken or refused by itself; those that are taken are delivered together or, if the process dies before it
 * answers, perhaps not at all. An event for a bus that does not exist gets an id and goes nowhere, as on AWS.
 */
export async function putEvents(
  state: EventBridgeState,
  input: PutEventsCommandInput,
  context: RequestContext,
): Output<PutEventsCommandOutput> {
  const entries = input.Entries!;
  if (input.EndpointId !== undefined) throw refused('EndpointId', 'There are no global endpoints: name an event bus.');
  new Constraints().count('entries', entries, 1, MAXIMUM_ENTRIES).check();
  checkForms(entries);
  const matches: Match[] = [];
  const results: PutEventsResultEntry[] = [];
  for (const entry of entries) {
    const taken = await take(state, entry, context);
    results.push(taken.result);
    if (taken.match && (taken.match.rules.length > 0 || taken.match.archives.length > 0)) matches.push(taken.match);
  }
  if (matches.length > 0) {
    await state.store.transact(async (transaction) => {
      for (const match of matches) state.publisher.publish(transaction, match);
    });
  }
  return { Entries: results, FailedEntryCount: results.filter(({ ErrorCode }) => ErrorCode !== undefined).length };
}

/** The bus that an entry is for: of any account, by ARN; `undefined` when it is not the name of one. */
export function busOfEntry(name: string | undefined, { account, region }: RequestContext): BusId | undefined {
  if (name?.startsWith('arn:')) return parseBusArn(name);
  return { account, region, bus: name || DEFAULT_BUS };
}

interface Taken {
  readonly result: PutEventsResultEntry;
  readonly match?: Match;
}

async function take(state: EventBridgeState, entry: PutEventsRequestEntry, context: RequestContext): Promise<Taken> {
  for (const member of ['Source', 'DetailType', 'Detail'] as const) {
    if (!entry[member]) {
      return failure('InvalidArgument', `Parameter ${member} is not valid. Reason: ${member} is a required argument.`);
    }
  }
  const { Detail: detailText, Source: source } = entry as { readonly Detail: string; readonly Source: string };
  // Source: API Reference, "PutEventsRequestEntry": services' own sources are theirs.
  if (/^aws\./i.test(source)) return failure('NotAuthorizedForSourceException', 'Not authorized for the source.');
  const detail = parseDetail(detailText);
  if (!detail) return failure('MalformedDetail', 'Detail is malformed.');
  const id = busOfEntry(entry.EventBusName, context);
  if (!id) {
    return failure(
      'InvalidArgument',
      'Parameter EventBusName is not valid. Reason: Provided Arn is not in correct format.',
    );
  }
  const now = state.clock.now();
  const time = entry.Time?.getTime() ?? now;
  if (Number.isNaN(time)) return failure('InvalidArgument', 'Parameter Time is not valid. Reason: it is no time.');
  const event: EventEnvelope = {
    version: '0',
    id: state.random.uuid(),
    'detail-type': entry.DetailType!,
    source,
    account: context.account,
    time: eventTime(time),
    region: context.region,
    resources: entry.Resources ?? [],
    detail,
  };
  const result = { EventId: event.id };
  const table = await state.publisher.tables.get(id);
  if (!table.exists) {
    state.logger.warn('an event was put on an event bus that does not exist', { bus: id.bus, source });
    return { result };
  }
  const match = state.publisher.match(table, {
    event,
    text: envelopeText(event, detailText),
    ingestedAt: now,
    traceHeader: entry.TraceHeader ?? traceHeaderOf(context.headers),
    buses: 1,
  });
  return { result, match };
}

function failure(ErrorCode: string, ErrorMessage: string): Taken {
  return { result: { ErrorCode, ErrorMessage } };
}

/** The detail is a JSON object. */
function parseDetail(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const detail: unknown = JSON.parse(text);
    return isObject(detail) ? detail : undefined;
  } catch {
    return undefined;
  }
}

function checkForms(entries: readonly PutEventsRequestEntry[]): void {
  const constraints = new Constraints();
  let size = 0;
  for (const [index, entry] of entries.entries()) {
    const member = `entries.${index + 1}.member`;
    constraints
      .length(`${member}.source`, entry.Source, 0, 256)
      .length(`${member}.detailType`, entry.DetailType, 0, 128)
      .length(`${member}.eventBusName`, entry.EventBusName, 1, 1600)
      .length(`${member}.traceHeader`, entry.TraceHeader, 1, MAXIMUM_TRACE_HEADER);
    size += sizeOf(entry);
  }
  constraints.check();
  if (size > MAXIMUM_SIZE) throw invalid('Total size of the entries in the request is over the limit.');
}

/** Bytes. */
function sizeOf({ Detail, DetailType, Resources, Source, Time }: PutEventsRequestEntry): number {
  const texts = [Source, DetailType, Detail, ...(Resources ?? [])];
  const bytes = texts.reduce((sum, text) => sum + (text ? Buffer.byteLength(text) : 0), 0);
  return bytes + (Time === undefined ? 0 : TIME_SIZE);
}
