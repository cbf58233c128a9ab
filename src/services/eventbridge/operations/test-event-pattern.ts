import type { TestEventPatternCommandInput, TestEventPatternCommandOutput } from '@aws-sdk/client-eventbridge';
import { isObject } from '../envelope.ts';
import { invalidParameter } from '../errors.ts';
import { checkPattern } from '../patterns.ts';

/** Source: API Reference, "TestEventPattern": the event has all of these. */
const MANDATORY = ['id', 'account', 'source', 'time', 'region', 'resources', 'detail-type'];

export async function testEventPattern(
  input: TestEventPatternCommandInput,
): Promise<Omit<TestEventPatternCommandOutput, '$metadata'>> {
  const pattern = checkPattern(input.EventPattern!);
  let event: unknown;
  try {
    event = JSON.parse(input.Event!);
  } catch {
    throw invalidParameter('Event', 'it is not JSON.');
  }
  if (!isObject(event)) throw invalidParameter('Event', 'it is a JSON object.');
  const missing = MANDATORY.filter((name) => !Object.hasOwn(event, name));
  if (missing.length > 0) throw invalidParameter('Event', `it has no ${missing.join(', ')}.`);
  return { Result: pattern.matches(event) };
}
