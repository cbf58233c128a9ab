/** Sources: IAM User Guide, "IAM JSON policy elements reference"; Secrets Manager User Guide, "Resource-based policies". */

const MAX_LENGTH = 20_480;
const FIELDS = [
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
const VERSIONS: readonly unknown[] = ['2012-10-17', '2008-10-17'];
/** Conditions that tie a statement to known callers. */
const FIXING_KEYS = [
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:sourceaccount',
  'aws:sourceip',
  'aws:userid',
  'aws:principalarn',
  'aws:principalaccount',
  'aws:principalorgid',
];

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a policy's text; `undefined` when nothing is. */
export function policyProblem(text: string): string | undefined {
  if (text.length < 1 || text.length > MAX_LENGTH)
    return `A resource policy can have ${MAX_LENGTH} characters at most.`;
  const document = parse(text);
  if (!document) return 'This resource policy contains invalid Json.';
  const unknown = Object.keys(document).find((name) => !['Version', 'Id', 'Statement'].includes(name));
  if (unknown !== undefined) return `This resource policy contains an unknown element: ${unknown}`;
  if (document.Version !== undefined && !VERSIONS.includes(document.Version)) {
    return 'This resource policy contains an invalid version.';
  }
  const statements = statementsOf(document);
  if (statements.length === 0) return 'This resource policy contains no statement.';
  for (const statement of statements) {
    const problem = statementProblem(statement);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** True when a statement lets anybody in. Takes a policy that has no problem. */
export function grantsBroadAccess(text: string): boolean {
  return statementsOf(parse(text)!).some((statement) => {
    const { Effect: effect, Principal: principal, NotPrincipal, Condition: condition } = statement as Fields;
    if (effect !== 'Allow') return false;
    const anybody =
      NotPrincipal !== undefined ||
      principal === '*' ||
      (isObject(principal) && [principal.AWS].flat().some((name) => name === '*'));
    return anybody && !isFixed(condition);
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

function statementsOf({ Statement: statement }: Fields): readonly unknown[] {
  if (statement === undefined) return [];
  return Array.isArray(statement) ? statement : [statement];
}

function statementProblem(statement: unknown): string | undefined {
  const syntax = 'This resource policy contains a syntax error';
  if (!isObject(statement)) return `${syntax}: a statement is an object.`;
  const unknown = Object.keys(statement).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) return `${syntax}: unknown element ${unknown}.`;
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') return `${syntax}: Effect is Allow or Deny.`;
  for (const name of ['Principal', 'Action', 'Resource']) {
    const given = [statement[name], statement[`Not${name}`]].filter((value) => value !== undefined);
    if (given.length !== 1) return `${syntax}: a statement has one of ${name} and Not${name}.`;
  }
  if (!isPrincipal(statement.Principal ?? statement.NotPrincipal)) {
    return 'This resource policy contains an unsupported principal.';
  }
  const actions = texts(statement.Action ?? statement.NotAction);
  if (!actions?.every((action) => action === '*' || /^secretsmanager:[a-z*?]+$/i.test(action))) {
    return 'This resource policy contains an unsupported action.';
  }
  const resources = texts(statement.Resource ?? statement.NotResource);
  if (!resources?.every((resource) => resource === '*' || resource.startsWith('arn:'))) {
    return 'This resource policy contains an unsupported resource.';
  }
  if (statement.Condition !== undefined && !isObject(statement.Condition)) return `${syntax}: Condition is an object.`;
  return undefined;
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

function isFixed(condition: unknown): boolean {
  if (!isObject(condition)) return false;
  return Object.entries(condition).some(
    ([operator, keys]) =>
      /^(ForAnyValue:)?(String(Equals|Like|EqualsIgnoreCase)|Arn(Equals|Like)|IpAddress)$/.test(operator) &&
      isObject(keys) &&
      Object.entries(keys).some(
        ([key, value]) =>
          FIXING_KEYS.includes(key.toLowerCase()) &&
          [value].flat().every((text) => !/^(\*|0\.0\.0\.0\/0|::\/0)$/.test(String(text))),
      ),
  );
}

function texts(value: unknown): readonly string[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every((item) => typeof item === 'string') ? (list as readonly string[]) : undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
