import type { EventQueue } from '../ports.ts';
import type { Room } from '../room.ts';

/** What a function's role must be allowed. Source: Lambda Developer Guide, "Lambda execution role permissions" for SQS. */
const ACTIONS = ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'] as const;

/** What keeps the role from reading the queue, in AWS's words; `undefined` when nothing does, or policies do not decide. */
export async function roleProblem(
  room: Pick<Room, 'access' | 'enforce'>,
  roleArn: string,
  region: string,
  queueArn: string,
  queue: EventQueue,
): Promise<string | undefined> {
  if (!room.enforce) return undefined;
  for (const action of ACTIONS) {
    const allowed = await room.access.allows({
      action: `sqs:${action}`,
      resource: queueArn,
      resourceAccount: queueArn.split(':')[4] ?? '',
      region,
      resourcePolicy: queue.policy,
      caller: { service: 'lambda.amazonaws.com', roleArn },
    });
    if (!allowed) return `The provided execution role does not have permissions to call ${action} on SQS`;
  }
  return undefined;
}
