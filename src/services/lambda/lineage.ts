import { hash } from 'node:crypto';
import { type FunctionName, functionArn } from './names.ts';

/**
 * How often each function has been invoked in a chain of requests, as the trace header carries it from one invocation to
 * the next: `Root=…;Parent=…;Sampled=0;Lineage=a87bd80c:0|68fd508a:5`. An entry is a hash of a function's ARN and the
 * number of invocations before this one, so a chain starts with 0. It is a guard against mistakes, not against malice: who
 * sends a made-up lineage ends, or hides, only their own chain.
 *
 * Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops".
 */

/** Invocations of one function in a chain; the next one is stopped. Source: the same page, "approximately 16 times". */
const RECURSION_LIMIT = 16;

/** Functions that a header keeps count of. */
const MAXIMUM_FUNCTIONS = 32;
/** Beyond the limit the number means nothing more, so a loop that is allowed does not make the header grow. */
const MAXIMUM_COUNT = 255;

const LINEAGE = /(?:^|;)\s*Lineage=([^;]*)/;
const ENTRY = /^([0-9a-f]{8}):(\d{1,5})$/;

/** Names a function in a lineage; its versions and aliases are one function. */
export function lineageId(name: Pick<FunctionName, 'account' | 'region' | 'name'>): string {
  return hash('sha256', functionArn(name, name.name)).slice(0, 8);
}

/** The trace header with one more invocation of the function. */
export function withInvocation(header: string, id: string): string {
  const found = LINEAGE.exec(header);
  if (!found) return `${header};Lineage=${id}:0`;
  const counts = readCounts(found[1]!);
  const before = counts.get(id);
  if (before === undefined && counts.size >= MAXIMUM_FUNCTIONS) counts.delete(leastInvoked(counts));
  counts.set(id, before === undefined ? 0 : Math.min(before + 1, MAXIMUM_COUNT));
  const lineage = [...counts].map(([key, count]) => `${key}:${count}`).join('|');
  const rest = header.replace(LINEAGE, '').replace(/^;/, '');
  return rest === '' ? `Lineage=${lineage}` : `${rest};Lineage=${lineage}`;
}

/** True when the function was invoked as often as a chain may, before the invocation that the header is of. */
export function exceedsLimit(header: string, id: string): boolean {
  const found = LINEAGE.exec(header);
  return found !== null && (readCounts(found[1]!).get(id) ?? 0) >= RECURSION_LIMIT;
}

/**
 * Of the chains that the messages of one invocation belong to, the one that has invoked the function least: a long chain
 * must not end the others. `undefined` when one of them begins here.
 */
export function shortestChain(headers: readonly (string | undefined)[], id: string): string | undefined {
  let shortest: string | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (const header of headers) {
    if (header === undefined) return undefined;
    const found = LINEAGE.exec(header);
    const count = found === null ? -1 : (readCounts(found[1]!).get(id) ?? -1);
    if (count >= lowest) continue;
    shortest = header;
    lowest = count;
  }
  return shortest;
}

/** What is not a lineage counts nothing. boto3 sends `|` as `%7C`. */
function readCounts(lineage: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const entry of lineage.split(/\||%7C/i, MAXIMUM_FUNCTIONS)) {
    const [, id, count] = ENTRY.exec(entry) ?? [];
    if (id !== undefined) counts.set(id, Number(count));
  }
  return counts;
}

function leastInvoked(counts: ReadonlyMap<string, number>): string {
  let least = '';
  let lowest = Number.POSITIVE_INFINITY;
  for (const [id, count] of counts) {
    if (count >= lowest) continue;
    least = id;
    lowest = count;
  }
  return least;
}
