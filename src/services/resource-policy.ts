/**
 * What the policies of resources have in common, as far as services check them when they are set. Source: IAM User Guide,
 * "IAM JSON policy elements reference".
 */

export type PolicyFields = Readonly<Record<string, unknown>>;

/** What a policy may have beside its statements, and a statement. */
export const POLICY_ELEMENTS: readonly string[] = ['Version', 'Id', 'Statement'];
export const STATEMENT_ELEMENTS: readonly string[] = [
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
/** A policy that names none has the first. */
export const POLICY_VERSIONS: readonly unknown[] = ['2008-10-17', '2012-10-17'];

/** `undefined` for a text that is not JSON, or no object. */
export function parsePolicy(text: string): PolicyFields | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isFields(document) ? document : undefined;
  } catch {
    return undefined;
  }
}

/** The statements, of which there may be one alone; empty when there are none. */
export function statementsOf({ Statement: statement }: PolicyFields): readonly unknown[] {
  if (statement === undefined) return [];
  return Array.isArray(statement) ? statement : [statement];
}

/** Whether it is what a `Principal` may be: anybody, or accounts, users, roles, services and identity providers. */
export function isPrincipal(principal: unknown): boolean {
  if (principal === '*') return true;
  if (!isFields(principal) || Object.keys(principal).length === 0) return false;
  return Object.entries(principal).every(([kind, value]) => {
    const names = textsOf(value);
    if (!names) return false;
    if (kind !== 'AWS') return kind === 'Service' || kind === 'Federated';
    return names.every((name) => /^(\*|\d{12}|arn:[^:]*:(iam|sts)::\d{12}:.+|A[A-Z0-9]{15,})$/.test(name));
  });
}

/** A text, or a list of at least one, as a list; `undefined` for anything else. */
export function textsOf(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every((item) => typeof item === 'string') ? (list as readonly string[]) : undefined;
}

export function isFields(value: unknown): value is PolicyFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
