import { invalidParameter } from '../errors.ts';
import { parseFieldsPattern } from './fields-pattern.ts';
import { parseJsonPattern } from './json-pattern.ts';
import { parseTextPattern } from './text-pattern.ts';

/** A compiled filter pattern. */
export interface FilterPattern {
  matches(message: string): boolean;
  /** What TestMetricFilter shows: the values that the pattern names, for a message that matches. */
  extract(message: string): Record<string, string>;
}

const MAX_LENGTH = 1024;

/**
 * Compiles a filter pattern: terms, space-delimited fields in `[…]`, or JSON in `{…}`. Throws InvalidParameterException.
 * Source: CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log
 * events, and Live Tail".
 */
export function parseFilterPattern(text: string): FilterPattern {
  if (text.length > MAX_LENGTH) {
    throw invalidParameter(`Member 'filterPattern' must have length less than or equal to ${MAX_LENGTH}`);
  }
  const trimmed = text.trim();
  if (trimmed === '') return { matches: () => true, extract: () => ({}) };
  if (trimmed.startsWith('{')) return parseJsonPattern(trimmed);
  if (trimmed.startsWith('[')) return parseFieldsPattern(trimmed);
  return parseTextPattern(trimmed);
}
