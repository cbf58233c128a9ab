import type { AddPermissionCommandInput, RemovePermissionCommandInput } from '@aws-sdk/client-sqs';
import type { RequestContext } from '../../service.ts';
import { invalidParameterValue, invalidValue, missingParameter, overLimit } from '../errors.ts';
import { MAX_POLICY_BYTES } from '../queue-settings.ts';
import type { SqsState } from '../state.ts';
import { changeQueue, queueOf } from './queues.ts';

/** Source: SQS API Reference, "AddPermission". */
const ACTIONS: ReadonlySet<string> = new Set([
  '*',
  'ChangeMessageVisibility',
  'DeleteMessage',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ListDeadLetterSourceQueues',
  'PurgeQueue',
  'ReceiveMessage',
  'SendMessage',
]);
const MAX_ACTIONS = 7;
const MAX_STATEMENTS = 20;

interface Statement {
  readonly Sid?: string;
}

interface Policy {
  readonly Version: string;
  readonly Id?: string;
  readonly Statement: readonly Statement[];
}

export async function addPermission(
  state: SqsState,
  input: AddPermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  const { AWSAccountIds: accounts = [], Actions: actions = [], Label: label = '' } = input;
  checkLabel(label);
  if (accounts.length === 0) throw missingParameter('AWSAccountIds');
  if (actions.length === 0) throw missingParameter('Actions');
  for (const account of accounts) {
    if (!/^\d{12}$/.test(account)) throw invalidValue(account, 'PrincipalId', 'Unable to verify.');
  }
  for (const action of actions) {
    if (!ACTIONS.has(action)) {
      throw invalidValue(
        `SQS:${action}`,
        'ActionName',
        'Please refer to the appropriate WSDL for a list of valid actions.',
      );
    }
  }
  if (actions.length > MAX_ACTIONS) {
    throw overLimit(`${actions.length} Actions were found, maximum allowed is ${MAX_ACTIONS}.`);
  }
  const principals = accounts.map((account) => `arn:aws:iam::${account}:root`);
  const names = actions.map((action) => `SQS:${action}`);
  await changeQueue(state, queue, (record) => {
    const policy = readPolicy(record.settings.policy, queue.arn);
    if (policy.Statement.some(({ Sid }) => Sid === label)) throw invalidValue(label, 'Label', 'Already exists.');
    if (policy.Statement.length >= MAX_STATEMENTS) {
      throw overLimit(`${policy.Statement.length + 1} statements were found, maximum allowed is ${MAX_STATEMENTS}.`);
    }
    const statement = {
      Sid: label,
      Effect: 'Allow',
      Principal: { AWS: single(principals) },
      Action: single(names),
      Resource: queue.arn,
    };
    const next = JSON.stringify({ ...policy, Statement: [...policy.Statement, statement] });
    if (Buffer.byteLength(next) > MAX_POLICY_BYTES) {
      throw overLimit(`The policy would have more than the maximum of ${MAX_POLICY_BYTES} bytes.`);
    }
    return { ...record, settings: { ...record.settings, policy: next }, modified: state.clock.now() };
  });
  return {};
}

export async function removePermission(
  state: SqsState,
  input: RemovePermissionCommandInput,
  context: RequestContext,
): Promise<object> {
  const queue = await queueOf(state, input, context);
  const { Label: label = '' } = input;
  checkLabel(label);
  await changeQueue(state, queue, (record) => {
    const policy = readPolicy(record.settings.policy, queue.arn);
    const left = policy.Statement.filter(({ Sid }) => Sid !== label);
    if (left.length === policy.Statement.length) throw invalidValue(label, 'Label', "can't find label.");
    const next = left.length === 0 ? undefined : JSON.stringify({ ...policy, Statement: left });
    return { ...record, settings: { ...record.settings, policy: next }, modified: state.clock.now() };
  });
  return {};
}

/** The queue's policy, or an empty one as the real service begins it. */
function readPolicy(text: string | undefined, arn: string): Policy {
  if (text === undefined) return { Version: '2008-10-17', Id: `${arn}/SQSDefaultPolicy`, Statement: [] };
  const policy = JSON.parse(text) as Omit<Policy, 'Statement'> & { readonly Statement: Statement | Statement[] };
  return { ...policy, Statement: [policy.Statement].flat() };
}

const single = (values: readonly string[]) => (values.length === 1 ? values[0] : values);

function checkLabel(label: string): void {
  if (!/^[\w-]{1,80}$/.test(label)) {
    throw invalidParameterValue(
      `Value ${label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.`,
    );
  }
}
