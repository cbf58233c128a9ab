import { ServiceError } from '../../../base/errors.ts';

/** A policy document after validation: every element a list, no element of the wrong type. */
export interface PolicyDocument {
  readonly version: '2012-10-17' | '2008-10-17';
  readonly id: string | undefined;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  /** `*` or `service:Action` patterns. */
  readonly actions: readonly string[] | undefined;
  readonly notActions: readonly string[] | undefined;
  readonly resources: readonly string[] | undefined;
  readonly notResources: readonly string[] | undefined;
  readonly principals: Principals | undefined;
  readonly notPrincipals: Principals | undefined;
  readonly conditions: readonly Condition[];
}

/** Kind of principal (`AWS`, `Service`, `Federated`, `CanonicalUser`) to its values. `*` alone means `AWS: *` and more. */
export interface Principals {
  readonly everyone: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export interface Condition {
  /** As written: `ForAllValues:StringLikeIfExists`. */
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

/** Identity policies have no principal, resource policies need one, trust policies need one and have no resource. */
export type PolicyKind = 'identity' | 'resource' | 'trust';

const STATEMENT_ELEMENTS = new Set([
  'Sid',
  'Effect',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Principal',
  'NotPrincipal',
  'Condition',
]);
const PRINCIPAL_KINDS = new Set(['AWS', 'Service', 'Federated', 'CanonicalUser']);
const OPERATOR =
  /^(?:(?:ForAllValues|ForAnyValue):)?(?:String(?:Not)?(?:Equals|EqualsIgnoreCase|Like)|Numeric(?:Not)?Equals|Numeric(?:Less|Greater)Than(?:Equals)?|Date(?:Not)?Equals|Date(?:Less|Greater)Than(?:Equals)?|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like)|Null)(?:IfExists)?$/i;

export function malformed(message: string): ServiceError {
  return new ServiceError('MalformedPolicyDocument', message);
}

/**
 * Parses and checks a policy document. Throws MalformedPolicyDocument.
 * Source: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy element reference".
 */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed('This policy contains invalid Json');
  }
  if (!isObject(json)) throw malformed('Syntax errors in policy.');
  for (const element of Object.keys(json)) {
    if (!['Version', 'Id', 'Statement'].includes(element)) throw malformed('Syntax errors in policy.');
  }
  // Resource policies of old buckets and queues have the old version; without one that is what is meant.
  const version = json.Version ?? '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string');
  }
  if (json.Id !== undefined && typeof json.Id !== 'string') throw malformed('Syntax errors in policy.');
  if (json.Statement === undefined) throw malformed('Syntax errors in policy.');
  const list = Array.isArray(json.Statement) ? json.Statement : [json.Statement];
  const statements = list.map((statement) => parseStatement(statement, kind));
  checkSids(statements);
  return { version, id: json.Id, statements };
}

function parseStatement(statement: unknown, kind: PolicyKind): Statement {
  if (!isObject(statement)) throw malformed('Syntax errors in policy.');
  for (const element of Object.keys(statement)) {
    if (!STATEMENT_ELEMENTS.has(element)) throw malformed('Syntax errors in policy.');
  }
  if (statement.Effect === undefined) throw malformed('Missing required field Effect');
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
    throw malformed(`Invalid effect: ${String(statement.Effect)}`);
  }
  if (statement.Sid !== undefined && typeof statement.Sid !== 'string') throw malformed('Syntax errors in policy.');
  const parsed: Statement = {
    sid: statement.Sid,
    effect: statement.Effect,
    actions: stringsOf(statement.Action),
    notActions: stringsOf(statement.NotAction),
    resources: stringsOf(statement.Resource),
    notResources: stringsOf(statement.NotResource),
    principals: principalsOf(statement.Principal),
    notPrincipals: principalsOf(statement.NotPrincipal),
    conditions: conditionsOf(statement.Condition),
  };
  checkElements(parsed, kind);
  return parsed;
}

function checkElements(statement: Statement, kind: PolicyKind): void {
  const { actions, notActions, resources, notResources, principals, notPrincipals } = statement;
  if (actions && notActions) throw malformed('Statement cannot contain both Action and NotAction');
  if (resources && notResources) throw malformed('Statement cannot contain both Resource and NotResource');
  if (principals && notPrincipals) throw malformed('Statement cannot contain both Principal and NotPrincipal');
  const allActions = actions ?? notActions;
  if (!allActions || allActions.length === 0) throw malformed('Policy statement must contain actions.');
  for (const action of allActions) {
    if (action !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(action)) {
      throw malformed(
        action.includes(':')
          ? `The policy failed legacy parsing`
          : 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.',
      );
    }
  }
  const allResources = resources ?? notResources;
  if (kind === 'trust') {
    if (allResources) throw malformed('Has prohibited field Resource');
  } else if (!allResources || allResources.length === 0) {
    if (kind === 'identity') throw malformed('Policy statement must contain resources.');
    throw malformed('Missing required field Resource');
  } else for (const resource of allResources) checkResource(resource);
  if (kind === 'identity') {
    if (principals || notPrincipals) throw malformed('Policy document should not specify a principal.');
  } else if (!principals && !notPrincipals) {
    throw malformed('Missing required field Principal');
  }
}

function checkResource(resource: string): void {
  if (resource === '*' || resource.startsWith('$')) return;
  // A pattern such as `arn:aws:s3*` is not accepted by IAM, except a lone `*`.
  if (!/^arn:[^:]*:[^:]*:[^:]*:[^:]*:./s.test(resource)) {
    throw malformed(
      resource.startsWith('arn:')
        ? `The policy failed legacy parsing`
        : `Resource ${resource} must be in ARN format or "*".`,
    );
  }
}

/** Statement ids are letters and digits, each used once in a document. */
function checkSids(statements: readonly Statement[]): void {
  const seen = new Set<string>();
  for (const { sid } of statements) {
    if (sid === undefined || sid === '') continue;
    if (seen.has(sid)) throw malformed('Statement IDs (SID) in a single policy must be unique.');
    seen.add(sid);
  }
}

function stringsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list = Array.isArray(value) ? value : [value];
  for (const item of list) if (typeof item !== 'string') throw malformed('Syntax errors in policy.');
  return list as string[];
}

function principalsOf(value: unknown): Principals | undefined {
  if (value === undefined) return undefined;
  if (value === '*') return { everyone: true, values: new Map() };
  if (!isObject(value) || Object.keys(value).length === 0) throw malformed('Invalid principal in policy');
  const values = new Map<string, readonly string[]>();
  let everyone = false;
  for (const [kind, names] of Object.entries(value)) {
    if (!PRINCIPAL_KINDS.has(kind)) throw malformed(`Invalid principal in policy: "${kind}"`);
    const list = stringsOf(names) ?? [];
    for (const name of list) checkPrincipal(kind, name);
    everyone ||= kind === 'AWS' && list.includes('*');
    values.set(kind, list);
  }
  return { everyone, values };
}

function checkPrincipal(kind: string, name: string): void {
  const valid =
    kind !== 'AWS' ||
    name === '*' ||
    /^\d{12}$/.test(name) ||
    /^A[A-Z0-9]{15,}$/.test(name) ||
    /^arn:aws[\w-]*:(iam|sts)::(\d{12}):(root|user\/.+|role\/.+|assumed-role\/.+\/.+|federated-user\/.+)$/.test(name) ||
    /^arn:aws[\w-]*:iam::cloudfront:user\/.+$/.test(name);
  if (!valid) throw malformed(`Invalid principal in policy: "${kind}":"${name}"`);
}

function conditionsOf(value: unknown): readonly Condition[] {
  if (value === undefined) return [];
  if (!isObject(value)) throw malformed('Syntax errors in policy.');
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!OPERATOR.test(operator)) throw malformed(`Invalid Condition type : ${operator}.`);
    if (!isObject(keys)) throw malformed('Syntax errors in policy.');
    return Object.entries(keys).map(([key, values]) => {
      if (!/^[^:]+:.+$/.test(key))
        throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
      const list = (Array.isArray(values) ? values : [values]).map((item) => {
        if (!['string', 'number', 'boolean'].includes(typeof item)) throw malformed('Syntax errors in policy.');
        return String(item);
      });
      return { operator, key, values: list };
    });
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
