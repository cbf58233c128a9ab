import type { Answer, Call, Route } from '../server/route.ts';
import { readFilters } from '../shapes/filters.ts';
import { readTimestamp } from '../shapes/timestamp.ts';
import { EVENT_FILTERS, matchesEvent } from './event-filter.ts';
import type { DockerEvent } from './event-history.ts';

/** More than this that a client has not read, and it is given up. */
const MOST_UNREAD = 10_000;

export const eventRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/events',
    operation: 'SystemEvents',
    handle: systemEvents,
    note: 'The last 256 events are kept for `since`, from the first request of this kind or of containers, images and networks on.',
  },
];

async function systemEvents(call: Call): Promise<Answer> {
  const { host, query } = call;
  const filters = readFilters(query, EVENT_FILTERS);
  const [since, until] = [readTimestamp(query.text('since'), 'since'), readTimestamp(query.text('until'), 'until')];
  await Promise.all([host.engine(), host.images(), host.networks()]);
  const wanted = (event: DockerEvent) =>
    matchesEvent(event, filters) && (until === undefined || event.timeNano <= until * 1e9);
  const past =
    since === undefined && until === undefined
      ? []
      : host.events.recent().filter((event) => wanted(event) && event.timeNano >= (since ?? 0) * 1e9);
  const pending: DockerEvent[] = [...past];
  let wake = () => {};
  const stop = host.events.listen((event) => {
    if (!wanted(event)) return;
    pending.push(event);
    wake();
  });
  return { kind: 'stream', status: 200, headers: { 'content-type': 'application/json' }, source: lines() };

  async function* lines(): AsyncGenerator<string> {
    const over = call.ending;
    const left = until === undefined ? undefined : Math.max(0, until * 1000 - Date.now());
    let ended = left === 0;
    const end = () => {
      ended = true;
      wake();
    };
    over.addEventListener('abort', end);
    // Until when a client listens is a time of the real day, as the events' own times are.
    const timer = left === undefined || left > 2 ** 31 - 1 ? undefined : setTimeout(end, left);
    try {
      while (!over.aborted && pending.length <= MOST_UNREAD) {
        if (pending.length > 0)
          yield pending
            .splice(0)
            .map((event) => `${JSON.stringify(event)}\n`)
            .join('');
        else if (ended) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      stop();
      clearTimeout(timer);
      over.removeEventListener('abort', end);
    }
  }
}
