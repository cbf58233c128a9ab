import type { Principal } from '../service.ts';
import { malformedPolicy } from './errors.ts';
import type { Where } from './state.ts';

/** Source: KMS Developer Guide, "Quotas": key policy document size, 32 KB. */
const MAXIMUM_POLICY_BYTES = 32_768;

/** The policy of keys that are created with none: the account's IAM policies decide. */
export function defaultKeyPolicy(account: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${account}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  });
}

/** A managed key is used by whoever uses its service, and through that only. */
export function managedKeyPolicy(service: string, { account, region }: Where): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Id: `auto-${service}-1`,
    Statement: [
      {
        Sid: `Allow access through ${service} for all principals in the account that are authorized to use it`,
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncrypt*',
          'kms:GenerateDataKey*',
          'kms:CreateGrant',
          'kms:DescribeKey',
        ],
        Resource: '*',
        Condition: {
          StringEquals: {
            'kms:CallerAccount': account,
            'kms:ViaService': `${service}.${region}.amazonaws.com`,
          },
        },
      },
      {
        Sid: 'Allow direct access to key metadata to the account',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${account}:root` },
        Action: ['kms:Describe*', 'kms:Get*', 'kms:List*', 'kms:RevokeGrant'],
        Resource: '*',
      },
    ],
  });
}

interface Statement {
  readonly Effect?: unknown;
  readonly Principal?: unknown;
  readonly Action?: unknown;
  readonly NotAction?: unknown;
  readonly Resource?: unknown;
  readonly NotResource?: unknown;
  readonly Condition?: unknown;
}

/**
 * Throws MalformedPolicyDocumentException unless the text is a key policy, and one that lets the caller change it again
 * (the lockout safety check, which can be bypassed). Source: API reference, PutKeyPolicy.
 */
export function checkKeyPolicy(text: string, principal: Principal, bypassLockoutCheck: boolean): void {
  const statements = readStatements(text);
  if (!bypassLockoutCheck && !statements.some((statement) => lets(statement, principal))) {
    throw malformedPolicy('The new key policy will not allow you to update the key policy in the future.');
  }
}

function readStatements(text: string): readonly Statement[] {
  if (Buffer.byteLength(text) > MAXIMUM_POLICY_BYTES) {
    throw malformedPolicy('Policy contains a document that is longer than 32768 bytes');
  }
  let document: { readonly Statement?: unknown };
  try {
    document = JSON.parse(text);
  } catch {
    throw malformedPolicy('Policy contains invalid json');
  }
  const given = document === null || typeof document !== 'object' ? undefined : document.Statement;
  const statements = Array.isArray(given) ? given : [given];
  for (const statement of statements) {
    if (statement === null || typeof statement !== 'object')
      throw malformedPolicy('Policy is missing required Statement');
    checkStatement(statement as Statement);
  }
  return statements as Statement[];
}

function checkStatement(statement: Statement): void {
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    throw malformedPolicy('Policy Statement must have a valid Effect');
  }
  if (statement.Principal === undefined && !('NotPrincipal' in statement)) {
    throw malformedPolicy('Policy Statement must have a Principal');
  }
  if (statement.Action === undefined && statement.NotAction === undefined) {
    throw malformedPolicy('Policy Statement must have an Action');
  }
  if (statement.Resource === undefined && statement.NotResource === undefined) {
    throw malformedPolicy('Policy statement must contain resources.');
  }
}

/** True when the statement allows the principal, or its account, to put a key policy. */
function lets(statement: Statement, principal: Principal): boolean {
  if (statement.Effect !== 'Allow' || statement.Condition !== undefined) return false;
  const actions = textList(statement.Action);
  const putsPolicy = actions.some((action) => {
    const pattern = action
      .toLowerCase()
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${pattern}$`).test('kms:putkeypolicy');
  });
  if (!putsPolicy) return false;
  const { account, arn, roleArn } = principal;
  const given = statement.Principal;
  const named = given === '*' ? ['*'] : textList((given as { readonly AWS?: unknown } | undefined)?.AWS);
  return ['*', account, `arn:aws:iam::${account}:root`, arn, roleArn].some(
    (name) => name !== undefined && named.includes(name),
  );
}

function textList(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
}
