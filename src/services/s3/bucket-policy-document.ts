import { ServiceError } from '../../base/errors.ts';
import {
  isFields,
  POLICY_ELEMENTS,
  POLICY_VERSIONS,
  parsePolicy,
  STATEMENT_ELEMENTS,
  statementsOf,
  textsOf,
} from '../resource-policy.ts';
import { bucketArn } from './bucket-access.ts';

/** Source: IAM User Guide, "IAM JSON policy elements reference"; S3 User Guide, "Policies and permissions in Amazon S3". */

const maxPolicyBytes = 20 * 1024;

export interface PolicyStatement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal?: unknown;
  readonly NotPrincipal?: unknown;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Reads a bucket's policy. Throws `MalformedPolicy` with what is wrong. */
export function parseBucketPolicy(text: string, bucket: string): readonly PolicyStatement[] {
  if (Buffer.byteLength(text) > maxPolicyBytes) {
    throw malformed('Policies exceed the maximum allowed document size: 20480 bytes');
  }
  const document = parsePolicy(text);
  if (!document) throw malformed("Policies must be valid JSON and the first byte must be '{'");
  for (const name of Object.keys(document)) {
    if (!POLICY_ELEMENTS.includes(name)) throw malformed(`Unknown field ${name}`);
  }
  if (document.Version !== undefined && !POLICY_VERSIONS.includes(document.Version)) {
    throw malformed('The policy must contain a valid version string');
  }
  if (document.Statement === undefined) throw malformed('Missing required field Statement');
  const statements = statementsOf(document);
  if (statements.length === 0) throw malformed('Could not parse the policy: Statement is empty!');
  return statements.map((statement) => parseStatement(statement, bucket));
}

function parseStatement(statement: unknown, bucket: string): PolicyStatement {
  if (!isFields(statement)) throw malformed('Statement is not an object');
  for (const name of Object.keys(statement)) {
    if (!STATEMENT_ELEMENTS.includes(name)) throw malformed(`Unknown field ${name}`);
  }
  if (statement.Effect === undefined) throw malformed('Missing required field Effect');
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    throw malformed(`Invalid effect: ${String(statement.Effect)}`);
  }
  exactlyOne(statement, 'Principal', 'NotPrincipal');
  exactlyOne(statement, 'Action', 'NotAction');
  exactlyOne(statement, 'Resource', 'NotResource');
  checkPrincipal(statement.Principal ?? statement.NotPrincipal);
  for (const action of texts(statement.Action ?? statement.NotAction, 'Policy has invalid action')) {
    if (action !== '*' && !/^s3:[A-Za-z*?]+$/i.test(action)) throw malformed('Policy has invalid action');
  }
  const arn = bucketArn(bucket);
  for (const resource of texts(statement.Resource ?? statement.NotResource, 'Policy has invalid resource')) {
    const covers = resource === arn || resource.startsWith(`${arn}/`) || resource === `${arn}*`;
    if (!covers) throw malformed('Policy has invalid resource');
  }
  checkCondition(statement.Condition);
  return statement as unknown as PolicyStatement;
}

function exactlyOne(statement: Readonly<Record<string, unknown>>, name: string, other: string): void {
  if (statement[name] === undefined && statement[other] === undefined)
    throw malformed(`Missing required field ${name}`);
  if (statement[name] !== undefined && statement[other] !== undefined) {
    throw malformed(`Statement has both ${name} and ${other}`);
  }
}

const principalKinds = ['AWS', 'Service', 'Federated', 'CanonicalUser'];

function checkPrincipal(principal: unknown): void {
  if (principal === '*') return;
  if (!isFields(principal) || Object.keys(principal).length === 0) throw malformed('Invalid principal in policy');
  for (const [kind, value] of Object.entries(principal)) {
    if (!principalKinds.includes(kind)) throw malformed('Invalid principal in policy');
    for (const name of texts(value, 'Invalid principal in policy')) {
      if (kind === 'AWS' && !/^(\*|\d{12}|arn:[^:]*:(iam|sts)::(\d{12}|cloudfront):.+|A[A-Z0-9]{15,})$/.test(name)) {
        throw malformed('Invalid principal in policy');
      }
    }
  }
}

function checkCondition(condition: unknown): void {
  if (condition === undefined) return;
  if (!isFields(condition)) throw malformed('Invalid Condition block');
  for (const [operator, keys] of Object.entries(condition)) {
    if (!/^((ForAnyValue|ForAllValues):)?[A-Z][A-Za-z]+$/.test(operator)) {
      throw malformed(`Invalid Condition type : ${operator}`);
    }
    if (!isFields(keys)) throw malformed('Invalid Condition block');
  }
}

function texts(value: unknown, message: string): readonly string[] {
  const list = textsOf(value);
  if (!list) throw malformed(message);
  return list;
}

function malformed(message: string): ServiceError {
  return new ServiceError('MalformedPolicy', message);
}

/** Conditions that tie a statement to known callers. Source: S3 User Guide, "The meaning of 'public'". */
const fixingKeys = [
  'aws:sourceip',
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceowner',
  'aws:sourceaccount',
  'aws:sourceorgid',
  'aws:principalorgid',
  'aws:principalaccount',
  'aws:principalarn',
  'aws:userid',
  's3:x-amz-server-side-encryption-aws-kms-key-id',
  's3:dataaccesspointarn',
  's3:dataaccesspointaccount',
];

/** True when a statement lets anybody in. */
export function isPublicPolicy(statements: readonly PolicyStatement[]): boolean {
  return statements.some((statement) => statement.Effect === 'Allow' && isAnybody(statement) && !isFixed(statement));
}

function isAnybody({ Principal: principal, NotPrincipal }: PolicyStatement): boolean {
  if (NotPrincipal !== undefined) return true;
  if (principal === '*') return true;
  if (!isFields(principal)) return false;
  return [principal.AWS, principal.CanonicalUser].flat().includes('*');
}

function isFixed({ Condition: condition = {} }: PolicyStatement): boolean {
  return Object.entries(condition).some(([operator, keys]) => {
    const positive = /^(ForAnyValue:)?(String(Equals|Like|EqualsIgnoreCase)|Arn(Equals|Like)|IpAddress)$/.test(
      operator,
    );
    return (
      positive &&
      Object.entries(keys).some(
        ([key, value]) =>
          fixingKeys.includes(key.toLowerCase()) && [value].flat().every((text) => isNarrow(key, String(text))),
      )
    );
  });
}

/** A wildcard alone, or an address range of everything, ties nothing down. */
function isNarrow(key: string, value: string): boolean {
  if (key.toLowerCase() === 'aws:sourceip') {
    const bits = Number(value.split('/')[1] ?? '32');
    return value.includes(':') ? Number(value.split('/')[1] ?? '128') >= 32 : bits >= 8;
  }
  return !/[*?]/.test(value.startsWith('arn:') ? (value.split(':')[4] ?? '*') || value : value);
}
