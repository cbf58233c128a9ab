import type {
  CancelMessageMoveTaskCommandInput,
  CancelMessageMoveTaskCommandOutput,
  ListMessageMoveTasksCommandInput,
  ListMessageMoveTasksCommandOutput,
  StartMessageMoveTaskCommandInput,
  StartMessageMoveTaskCommandOutput,
} from '@aws-sdk/client-sqs';
import { invalidParameterValue, invalidValue, resourceNotFound, unsupportedOperation } from '../errors.ts';
import type { MoveTasks } from '../move-tasks.ts';
import { parseQueueArn, type QueueName, queueArn } from '../names.ts';
import type { Queue } from '../queue.ts';
import { keys, type MoveTaskRecord } from '../records.ts';
import type { SqsState } from '../state.ts';
import { sourcesOf } from './queues.ts';

/** Tasks of one queue that are kept and shown. Source: SQS API Reference, "ListMessageMoveTasks". */
const KEPT_TASKS = 10;
const MAX_PER_SECOND = 500;

type Output<T> = Omit<T, '$metadata'>;

/** Throws ResourceNotFoundException, InvalidParameterValue. */
async function queueOfArn(state: SqsState, parameter: string, arn: string): Promise<Queue> {
  const name = parseQueueArn(arn);
  if (!name) {
    throw invalidParameterValue(
      `You must use this format to specify the ${parameter}: arn:<partition>:<service>:<region>:<account-id>:<resource-id>`,
    );
  }
  const queue = await state.queues.find(name);
  if (queue) return queue;
  throw resourceNotFound(`The resource that you specified for the ${parameter} parameter doesn't exist.`);
}

async function tasksOf(state: SqsState, source: QueueName): Promise<MoveTaskRecord[]> {
  const entries = await state.store.range<MoveTaskRecord>({ prefix: keys.moveTasks(source), reverse: true });
  return entries.map(({ value }) => value);
}

export async function startMessageMoveTask(
  state: SqsState,
  tasks: MoveTasks,
  input: StartMessageMoveTaskCommandInput,
): Promise<Output<StartMessageMoveTaskCommandOutput>> {
  const source = await queueOfArn(state, 'SourceArn', input.SourceArn!);
  const { MaxNumberOfMessagesPerSecond: perSecond } = input;
  if (perSecond !== undefined && !(Number.isInteger(perSecond) && perSecond >= 1 && perSecond <= MAX_PER_SECOND)) {
    throw invalidValue(perSecond, 'MaxNumberOfMessagesPerSecond', `Must be between 1 and ${MAX_PER_SECOND}.`);
  }
  if ((await sourcesOf(state, source)).length === 0) {
    throw invalidParameterValue('Source queue must be configured as a Dead Letter Queue.');
  }
  const destination =
    input.DestinationArn === undefined ? undefined : await queueOfArn(state, 'DestinationArn', input.DestinationArn);
  if (destination === source) throw invalidParameterValue('Source queue and destination queue must not be the same.');
  if (destination && destination.fifo !== source.fifo) {
    throw invalidParameterValue('Source queue and destination queue must be of the same type.');
  }
  source.settle();
  const task: MoveTaskRecord = {
    id: state.random.uuid(),
    source: nameOf(source.record),
    destination: destination && nameOf(destination.record),
    perSecond,
    status: 'RUNNING',
    moved: 0,
    toMove: source.index.visible,
    started: state.clock.now(),
  };
  await state.store.transact(async (transaction) => {
    const earlier = await transaction.range<MoveTaskRecord>({ prefix: keys.moveTasks(task.source), reverse: true });
    if (earlier.some(({ value }) => value.status === 'RUNNING')) {
      throw invalidParameterValue(
        'There is already a task running. Only one active task is allowed for a source queue arn at a given time.',
      );
    }
    for (const { key } of earlier.slice(KEPT_TASKS - 1)) transaction.delete(key);
    transaction.put(keys.moveTask(task.source, task.started, task.id), task);
  });
  tasks.run(task);
  return { TaskHandle: handleOf(task) };
}

const nameOf = ({ account, region, name }: QueueName): QueueName => ({ account, region, name });

export async function listMessageMoveTasks(
  state: SqsState,
  input: ListMessageMoveTasksCommandInput,
): Promise<Output<ListMessageMoveTasksCommandOutput>> {
  const { MaxResults: maximum = 1 } = input;
  if (!Number.isInteger(maximum) || maximum < 1 || maximum > KEPT_TASKS) {
    throw invalidValue(maximum, 'MaxResults', `Must be between 1 and ${KEPT_TASKS}.`);
  }
  const source = await queueOfArn(state, 'SourceArn', input.SourceArn!);
  const tasks = (await tasksOf(state, source.record)).slice(0, maximum);
  return {
    Results: tasks.map((task) => ({
      ...(task.status === 'RUNNING' ? { TaskHandle: handleOf(task) } : {}),
      Status: task.status,
      SourceArn: queueArn(task.source),
      ...(task.destination ? { DestinationArn: queueArn(task.destination) } : {}),
      ...(task.perSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: task.perSecond }),
      ApproximateNumberOfMessagesMoved: task.moved,
      ApproximateNumberOfMessagesToMove: task.toMove,
      ...(task.failure === undefined ? {} : { FailureReason: task.failure }),
      StartedTimestamp: task.started,
    })),
  };
}

/** What has been moved stays moved. Source: SQS API Reference, "CancelMessageMoveTask". */
export async function cancelMessageMoveTask(
  state: SqsState,
  input: CancelMessageMoveTaskCommandInput,
): Promise<Output<CancelMessageMoveTaskCommandOutput>> {
  const { taskId, sourceArn } = readHandle(input.TaskHandle!);
  const source = await queueOfArn(state, 'SourceArn', sourceArn);
  const moved = await state.store.transact(async (transaction) => {
    const tasks = await transaction.range<MoveTaskRecord>({ prefix: keys.moveTasks(source.record) });
    const entry = tasks.find(({ value }) => value.id === taskId);
    if (!entry) throw resourceNotFound('Task does not exist.');
    if (entry.value.status !== 'RUNNING') throw unsupportedOperation('Only a running task can be cancelled.');
    transaction.put(entry.key, { ...entry.value, status: 'CANCELLED' });
    return entry.value.moved;
  });
  return { ApproximateNumberOfMessagesMoved: moved };
}

interface TaskHandle {
  readonly taskId: string;
  readonly sourceArn: string;
}

const handleOf = (task: MoveTaskRecord): string =>
  Buffer.from(JSON.stringify({ taskId: task.id, sourceArn: queueArn(task.source) })).toString('base64');

/** The queue that a task's handle names; `undefined` when it is none. */
export function sourceOfHandle(handle: string): string | undefined {
  try {
    const { sourceArn, taskId } = JSON.parse(Buffer.from(handle, 'base64').toString()) as Partial<TaskHandle>;
    return typeof taskId === 'string' && typeof sourceArn === 'string' ? sourceArn : undefined;
  } catch {
    return undefined;
  }
}

function readHandle(handle: string): TaskHandle {
  const sourceArn = sourceOfHandle(handle);
  if (sourceArn === undefined) throw invalidParameterValue('Value for parameter TaskHandle is invalid.');
  return { ...(JSON.parse(Buffer.from(handle, 'base64').toString()) as TaskHandle), sourceArn };
}
