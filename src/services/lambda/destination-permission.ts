import type { DeliveryCaller } from '../../events/index.ts';
import { keys, LATEST, type PolicyRecord, type Scope, type VersionRecord } from './model.ts';
import { functionArn, parseFunctionArn } from './names.ts';
import { policyDocument } from './permissions.ts';
import type { Room } from './room.ts';

/** What a function's role must be allowed to do with each kind of destination. */
const ACTIONS: Readonly<Record<string, string>> = {
  sqs: 'sqs:SendMessage',
  sns: 'sns:Publish',
  events: 'events:PutEvents',
  lambda: 'lambda:InvokeFunction',
  s3: 's3:PutObject',
};

/** `SendMessage`, …: how Lambda's errors name what the role may not do. */
export const operationOn = (destination: string): string => actionOn(destination).split(':')[1]!;

const actionOn = (destination: string): string => ACTIONS[destination.split(':')[2] ?? ''] ?? '';

/** Where records of failures are put into a bucket. */
export const recordPrefix = (name: string): string => `aws/lambda/async/${name}/`;

/** In whose name a function's records and dead letters are sent: its role's. `undefined` when it is not there. */
export async function senderOf(
  room: Pick<Room, 'store'>,
  scope: Scope,
  name: string,
): Promise<DeliveryCaller | undefined> {
  const version = await room.store.get<VersionRecord>(keys.version(scope, name, LATEST));
  return version && callerOf(scope, name, version.value.role);
}

const callerOf = (scope: Scope, name: string, roleArn: string): DeliveryCaller => ({
  service: 'lambda.amazonaws.com',
  roleArn,
  sourceArn: functionArn(scope, name),
  sourceAccount: scope.account,
});

/**
 * True when the role of the function may send to the destination; always while policies do not decide. Source: Lambda
 * Developer Guide, "Capturing records of Lambda asynchronous invocations": the execution role needs the permission.
 */
export async function roleMaySend(
  room: Pick<Room, 'access' | 'enforce' | 'store'>,
  scope: Scope,
  name: string,
  destination: string,
  /** The one that the function has, unless told. */
  roleArn?: string,
): Promise<boolean> {
  if (!room.enforce) return true;
  const caller = roleArn === undefined ? await senderOf(room, scope, name) : callerOf(scope, name, roleArn);
  if (!caller) return false;
  const lambda = parseFunctionArn(destination);
  const policy =
    lambda && (await room.store.get<PolicyRecord>(keys.policy(lambda, lambda.name, lambda.qualifier ?? '')));
  const isBucket = destination.startsWith('arn:aws:s3:');
  return room.access.allows({
    action: actionOn(destination),
    resource: isBucket ? `${destination}/${recordPrefix(name)}record` : destination,
    resourceAccount: isBucket ? scope.account : (destination.split(':')[4] ?? ''),
    region: scope.region,
    resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
    caller,
  });
}
