import type { ReceiveMessageCommandInput, ReceiveMessageCommandOutput } from '@aws-sdk/client-sqs';
import type { RequestContext } from '../../service.ts';
import { invalidValue } from '../errors.ts';
import type { Queue } from '../queue.ts';
import { type Received, type ReceiveOptions, receive, receiveAgain } from '../receive.ts';
import { readWanted, shownMessage } from '../shown-message.ts';
import type { SqsState } from '../state.ts';
import { queueOf } from './queues.ts';

/** Source: SQS API Reference, "ReceiveMessage". */
export async function receiveMessage(
  state: SqsState,
  input: ReceiveMessageCommandInput,
  context: RequestContext,
): Promise<Omit<ReceiveMessageCommandOutput, '$metadata'>> {
  const queue = await queueOf(state, input, context);
  const { settings } = queue.record;
  const { MaxNumberOfMessages: maximum = 1, WaitTimeSeconds = settings.receiveMessageWaitTimeSeconds } = input;
  const { VisibilityTimeout = settings.visibilityTimeout } = input;
  if (!isWithin(maximum, 1, 10)) {
    throw invalidValue(maximum, 'MaxNumberOfMessages', 'Must be between 1 and 10, if provided.');
  }
  if (!isWithin(WaitTimeSeconds, 0, 20)) {
    throw invalidValue(WaitTimeSeconds, 'WaitTimeSeconds', 'Must be >= 0 and <= 20, if provided.');
  }
  if (!isWithin(VisibilityTimeout, 0, 43_200)) {
    throw invalidValue(VisibilityTimeout, 'VisibilityTimeout', 'Must be >= 0 and <= 43200, if provided.');
  }
  const wanted = readWanted(
    [...(input.MessageSystemAttributeNames ?? []), ...(input.AttributeNames ?? [])],
    input.MessageAttributeNames ?? [],
  );
  state.rate.take(queue, 'receive');
  const received = await receiveOnce(state, queue, input.ReceiveRequestAttemptId, {
    maximum,
    visibilitySeconds: VisibilityTimeout,
    until: state.clock.now() + WaitTimeSeconds * 1000,
    signal: context.signal,
    keyUser: { principal: context.principal },
  });
  return received.length === 0 ? {} : { Messages: received.map((item) => shownMessage(queue, item, wanted)) };
}

/** An attempt that is repeated gets the same messages again. */
async function receiveOnce(
  state: SqsState,
  queue: Queue,
  attempt: string | undefined,
  options: ReceiveOptions,
): Promise<readonly Received[]> {
  if (attempt === undefined) return receive(state, queue, options);
  if (!queue.fifo) {
    throw invalidValue(
      attempt,
      'ReceiveRequestAttemptId',
      'The request include parameter that is not valid for this queue type.',
    );
  }
  if (!/^[\x21-\x7e]{1,128}$/.test(attempt)) {
    throw invalidValue(
      attempt,
      'ReceiveRequestAttemptId',
      'ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.',
    );
  }
  queue.settle();
  const earlier = state.attempts.earlier(queue, attempt);
  const received = earlier ? await receiveAgain(state, queue, earlier, options) : await receive(state, queue, options);
  state.attempts.remember(
    queue,
    attempt,
    received.map(({ message }) => message),
  );
  return received;
}

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;
