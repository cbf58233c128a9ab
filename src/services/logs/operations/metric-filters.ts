import type { TestMetricFilterCommandInput, TestMetricFilterCommandOutput } from '@aws-sdk/client-cloudwatch-logs';
import { invalidParameter } from '../errors.ts';
import { parseFilterPattern } from '../filter/index.ts';
import type { LogsState } from '../state.ts';

/** API Reference, "TestMetricFilter": tries a pattern on up to 50 messages. */
export async function testMetricFilter(
  _state: LogsState,
  input: TestMetricFilterCommandInput,
): Promise<Omit<TestMetricFilterCommandOutput, '$metadata'>> {
  const messages = input.logEventMessages ?? [];
  if (messages.length < 1 || messages.length > 50) {
    throw invalidParameter("Member 'logEventMessages' must have length between 1 and 50");
  }
  const pattern = parseFilterPattern(input.filterPattern ?? '');
  return {
    matches: messages.flatMap((eventMessage, index) =>
      pattern.matches(eventMessage)
        ? [{ eventNumber: index + 1, eventMessage, extractedValues: pattern.extract(eventMessage) }]
        : [],
    ),
  };
}
