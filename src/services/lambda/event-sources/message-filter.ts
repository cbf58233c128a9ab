import { invalidParameter } from '../errors.ts';
import type { QueueRecord } from './queue-event.ts';

/** Tells whether a function is to get a message. */
export type MessageFilter = (record: QueueRecord) => boolean;

/** Loaded by the first filter: few mappings have one. */
const loadPatterns = () => import('../../../events/patterns/index.ts');
type Patterns = Awaited<ReturnType<typeof loadPatterns>>;

/** Throws InvalidParameterValueException when a filter's pattern is none. */
export async function checkFilters(texts: readonly string[]): Promise<void> {
  if (texts.length === 0) return;
  const patterns = await loadPatterns();
  for (const text of texts) {
    try {
      compileFilter(patterns, text);
    } catch (error) {
      if (!(error instanceof patterns.InvalidPatternError)) throw error;
      throw invalidParameter('Invalid filter pattern definition.');
    }
  }
}

/** A message passes when one of the patterns matches it; without patterns all do. */
export async function messageFilter(texts: readonly string[]): Promise<MessageFilter> {
  if (texts.length === 0) return () => true;
  const patterns = await loadPatterns();
  const filters = texts.map((text) => compileFilter(patterns, text));
  return (record) => filters.some((filter) => filter(record));
}

/**
 * Patterns match the record. What they say of `body` and the body itself must be of one format: both JSON (an object of
 * rules, and text that is a JSON object or array) or both plain text (a list of rules). A message of the other format is
 * dropped. Source: Lambda Developer Guide, "Using event filtering with an Amazon SQS event source", the table.
 */
function compileFilter(patterns: Patterns, text: string): MessageFilter {
  const pattern = patterns.compileEventPattern(text, 'lambda');
  const { body } = JSON.parse(text) as { body?: unknown };
  if (body === undefined) return (record) => pattern.matches(record);
  const wantsJson = !Array.isArray(body);
  return (record) => {
    const parsed = jsonOf(record.body);
    if ((parsed !== undefined) !== wantsJson) return false;
    return pattern.matches({ ...record, body: parsed ?? record.body });
  };
}

/** The object or array that a text is the JSON of. */
function jsonOf(text: string): object | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
