import { invalidParameter } from './errors.ts';
import { type TopicName, topicArn } from './names.ts';

/** Actions that a topic's policy can grant, in the order of the default policy, and those that only statements name. */
const DEFAULT_ACTIONS = [
  'GetTopicAttributes',
  'SetTopicAttributes',
  'AddPermission',
  'RemovePermission',
  'DeleteTopic',
  'Subscribe',
  'ListSubscriptionsByTopic',
  'Publish',
] as const;
const ACTIONS: readonly string[] = [
  ...DEFAULT_ACTIONS,
  'ListTagsForResource',
  'GetDataProtectionPolicy',
  'PutDataProtectionPolicy',
  'Receive',
];
/** Bytes. */
const MAXIMUM_LENGTH = 30_720;

type Fields = Readonly<Record<string, unknown>>;

/** What a topic without a policy of its own has. Source: SNS Developer Guide, "Example cases for Amazon SNS access control". */
export function defaultPolicy(topic: TopicName): string {
  return JSON.stringify({
    Version: '2008-10-17',
    Id: '__default_policy_ID',
    Statement: [
      {
        Sid: '__default_statement_ID',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: DEFAULT_ACTIONS.map((action) => `SNS:${action}`),
        Resource: topicArn(topic),
        Condition: { StringEquals: { 'AWS:SourceOwner': topic.account } },
      },
    ],
  });
}

/** Throws InvalidParameter when a text is no policy that a topic can have. `prefix` goes before the reason. */
export function checkPolicy(text: string, prefix = ''): void {
  const fail = (reason: string) => invalidParameter(`${prefix}Policy ${reason}`.trim());
  if (Buffer.byteLength(text) > MAXIMUM_LENGTH) throw fail('is too long');
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    throw fail('Error: null');
  }
  if (!isObject(policy)) throw fail('Error: null');
  const statements = statementsOf(policy);
  if (statements.length === 0) throw fail('statement is missing');
  for (const statement of statements) {
    if (!isObject(statement)) throw fail('Error: a statement must be a JSON object');
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw fail('statement effect is invalid!');
    if (statement.Principal === undefined && statement.NotPrincipal === undefined) {
      throw fail('statement must contain principals');
    }
    const actions = [statement.Action ?? statement.NotAction].flat();
    if (!actions.every(isServed)) throw fail('statement action out of service scope!');
  }
}

const isServed = (action: unknown): boolean => {
  if (typeof action !== 'string') return false;
  if (action === '*') return true;
  const name = /^sns:(.+)$/i.exec(action)?.[1];
  return (
    name !== undefined && (name.includes('*') || ACTIONS.some((known) => known.toLowerCase() === name.toLowerCase()))
  );
};

/** The policy with a statement more. Throws InvalidParameter. Source: API Reference, "AddPermission". */
export function withPermission(
  policy: string,
  topic: TopicName,
  { label, accounts, actions }: { label: string; accounts: readonly string[]; actions: readonly string[] },
): string {
  if (!/^[\w-]{1,80}$/.test(label)) throw invalidParameter('Label');
  if (accounts.length === 0) throw invalidParameter('AWSAccountId');
  const wrong = accounts.find((account) => !/^\d{12}$/.test(account));
  if (wrong !== undefined) throw invalidParameter(`Principal ${wrong}`);
  if (actions.length === 0) throw invalidParameter('ActionName');
  if (!actions.every((name) => name === '*' || isServed(`SNS:${name}`))) {
    throw invalidParameter('Policy statement action out of service scope!');
  }
  const document = JSON.parse(policy) as Fields;
  const statements = statementsOf(document);
  if (statements.some((statement) => (statement as Fields).Sid === label)) {
    throw invalidParameter('Statement already exists');
  }
  const principals = accounts.map((account) => `arn:aws:iam::${account}:root`);
  const names = actions.map((name) => `SNS:${name}`);
  const added = {
    Sid: label,
    Effect: 'Allow',
    Principal: { AWS: principals.length === 1 ? principals[0] : principals },
    Action: names.length === 1 ? names[0] : names,
    Resource: topicArn(topic),
  };
  return JSON.stringify({ ...document, Statement: [...statements, added] });
}

/** The policy without the statement of that label; as it was when there is none. */
export function withoutPermission(policy: string, label: string): string {
  const document = JSON.parse(policy) as Fields;
  const statements = statementsOf(document).filter((statement) => (statement as Fields).Sid !== label);
  return JSON.stringify({ ...document, Statement: statements });
}

function statementsOf({ Statement: statement }: Fields): readonly unknown[] {
  if (statement === undefined) return [];
  return Array.isArray(statement) ? statement : [statement];
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
