import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { parseQueueArn, parseQueueUrl, type QueueName, queueArn } from './names.ts';
import { sourceOfHandle } from './operations/move-tasks.ts';
import { sourcesOf } from './operations/queues.ts';
import type { SqsState } from './state.ts';

interface Input {
  readonly QueueUrl?: string;
  readonly QueueName?: string;
  readonly QueueOwnerAWSAccountId?: string;
  readonly SourceArn?: string;
  readonly DestinationArn?: string;
  readonly TaskHandle?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** Batches are asked about as what they do one by one. */
const ACTIONS: Readonly<Record<string, string>> = {
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
  DeleteMessageBatch: 'DeleteMessage',
  SendMessageBatch: 'SendMessage',
};

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon SQS". */
export async function authorization(
  state: SqsState,
  operation: string,
  input: Input,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `sqs:${ACTIONS[operation] ?? operation}`;
  if (operation === 'ListQueues') return [{ action, resource: '*' }];
  const name = queueNameOf(input, context);
  if (!name) return [{ action, resource: '*' }];
  const own = await question(state, action, name);
  const questions = [own];
  if (operation === 'CreateQueue' && Object.keys(input.tags ?? {}).length > 0) {
    questions.push({ ...own, action: 'sqs:TagQueue' });
  }
  if (operation === 'StartMessageMoveTask') {
    for (const needed of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes']) {
      questions.push({ ...own, action: needed });
    }
    for (const destination of await destinationsOf(state, name, input.DestinationArn)) {
      questions.push(await question(state, 'sqs:SendMessage', destination));
    }
  }
  return questions;
}

function queueNameOf(input: Input, context: RequestContext): QueueName | undefined {
  const { DestinationArn: _, QueueName, QueueOwnerAWSAccountId, QueueUrl, SourceArn, TaskHandle } = input;
  if (QueueUrl !== undefined) return parseQueueUrl(QueueUrl, context);
  if (QueueName !== undefined) {
    return { account: QueueOwnerAWSAccountId ?? context.account, region: context.region, name: QueueName };
  }
  return parseQueueArn(SourceArn ?? (TaskHandle === undefined ? '' : (sourceOfHandle(TaskHandle) ?? '')));
}

/** Where a move task may put messages: the queue that is named, or each that they can have come from. */
async function destinationsOf(
  state: SqsState,
  name: QueueName,
  destinationArn: string | undefined,
): Promise<readonly QueueName[]> {
  if (destinationArn === undefined) {
    const source = await state.queues.find(name);
    return source ? sourcesOf(state, source) : [];
  }
  const destination = parseQueueArn(destinationArn);
  return destination ? [destination] : [];
}

async function question(state: SqsState, action: string, name: QueueName): Promise<AuthorizationRequest> {
  const queue = await state.queues.find(name);
  return {
    action,
    resource: queueArn(name),
    resourceAccount: name.account,
    resourcePolicy: queue?.record.settings.policy,
  };
}
