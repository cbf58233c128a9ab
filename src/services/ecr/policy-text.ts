import { constraint } from './errors.ts';

type Fields = Readonly<Record<string, unknown>>;

const MAX_LENGTH = 10_240;
const STATEMENT = [
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

/**
 * Checks the text of a repository's or registry's policy. Throws InvalidParameterException. Sources: Amazon ECR User Guide,
 * "Private repository policies in Amazon ECR", "Private registry permissions in Amazon ECR"; IAM User Guide, "IAM JSON policy elements reference".
 */
export function checkPolicy(text: string, member = 'PolicyText'): void {
  if (text.length > MAX_LENGTH) throw constraint(member, `must have length less than or equal to ${MAX_LENGTH}`);
  const document = parse(text);
  const statements = document && statementsOf(document);
  const valid =
    document &&
    statements &&
    statements.length > 0 &&
    Object.keys(document).every((name) => ['Version', 'Id', 'Statement'].includes(name)) &&
    [undefined, '2008-10-17', '2012-10-17'].includes(document.Version as string | undefined) &&
    statements.every(isStatement);
  if (!valid) throw constraint(member, 'Invalid repository policy provided');
}

/**
 * The policy as IAM reads it: a repository's own policy names no resource, as it is about that repository; several
 * policies that hold together become one.
 */
export function policyForEvaluation(...texts: readonly (string | undefined)[]): string | undefined {
  const statements = texts.flatMap((text) => (text === undefined ? [] : (statementsOf(parse(text) ?? {}) ?? [])));
  if (statements.length === 0) return undefined;
  const whole = statements.filter(isObject).map((statement, i) => ({
    ...statement,
    Sid: `s${i}`,
    ...(statement.Resource === undefined && statement.NotResource === undefined ? { Resource: '*' } : {}),
  }));
  return JSON.stringify({ Version: '2012-10-17', Statement: whole });
}

/** A policy with one statement more, in place of one of the same `Sid`. */
export function withStatement(text: string | undefined, statement: { readonly Sid: string }): string {
  const document = text === undefined ? undefined : parse(text);
  const others = (document && statementsOf(document)) ?? [];
  const kept = others.filter((other) => !isObject(other) || other.Sid !== statement.Sid);
  return JSON.stringify({ Version: '2012-10-17', ...document, Statement: [...kept, statement] });
}

function isStatement(statement: unknown): boolean {
  if (!isObject(statement)) return false;
  const { Effect: effect, Condition: condition } = statement;
  const principal = statement.Principal ?? statement.NotPrincipal;
  const actions = texts(statement.Action ?? statement.NotAction);
  const resources = statement.Resource ?? statement.NotResource;
  return (
    Object.keys(statement).every((name) => STATEMENT.includes(name)) &&
    (effect === 'Allow' || effect === 'Deny') &&
    ['Principal', 'Action', 'Resource'].every((name) => !(name in statement && `Not${name}` in statement)) &&
    isPrincipal(principal) &&
    actions?.every((action) => action === '*' || /^ecr:[a-z*?]+$/i.test(action)) === true &&
    (resources === undefined || texts(resources)?.every((arn) => arn === '*' || arn.startsWith('arn:')) === true) &&
    (condition === undefined || isObject(condition))
  );
}

function isPrincipal(principal: unknown): boolean {
  if (principal === '*') return true;
  if (!isObject(principal) || Object.keys(principal).length === 0) return false;
  return Object.entries(principal).every(([kind, value]) => {
    const names = texts(value);
    if (!names) return false;
    if (kind !== 'AWS') return kind === 'Service' || kind === 'Federated';
    return names.every((name) => /^(\*|\d{12}|arn:[^:]*:(iam|sts)::\d{12}:.+|A[A-Z0-9]{15,})$/.test(name));
  });
}

function parse(text: string): Fields | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isObject(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

function statementsOf({ Statement: statement }: Fields): readonly unknown[] | undefined {
  if (statement === undefined) return undefined;
  return Array.isArray(statement) ? statement : [statement];
}

function texts(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every((item) => typeof item === 'string') ? (list as readonly string[]) : undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
