import {
  isFields,
  isPrincipal,
  POLICY_ELEMENTS,
  POLICY_VERSIONS,
  type PolicyFields,
  parsePolicy,
  STATEMENT_ELEMENTS,
  statementsOf,
  textsOf,
} from '../resource-policy.ts';

/** Sources: IAM User Guide, "IAM JSON policy elements reference"; Secrets Manager User Guide, "Resource-based policies". */

const MAX_LENGTH = 20_480;
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

/** What is wrong with a policy's text; `undefined` when nothing is. */
export function policyProblem(text: string): string | undefined {
  if (text.length < 1 || text.length > MAX_LENGTH)
    return `A resource policy can have ${MAX_LENGTH} characters at most.`;
  const document = parsePolicy(text);
  if (!document) return 'This resource policy contains invalid Json.';
  const unknown = Object.keys(document).find((name) => !POLICY_ELEMENTS.includes(name));
  if (unknown !== undefined) return `This resource policy contains an unknown element: ${unknown}`;
  if (document.Version !== undefined && !POLICY_VERSIONS.includes(document.Version)) {
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
  return statementsOf(parsePolicy(text)!).some((statement) => {
    const { Effect: effect, Principal: principal, NotPrincipal, Condition: condition } = statement as PolicyFields;
    if (effect !== 'Allow') return false;
    const anybody =
      NotPrincipal !== undefined ||
      principal === '*' ||
      (isFields(principal) && [principal.AWS].flat().some((name) => name === '*'));
    return anybody && !isFixed(condition);
  });
}

function statementProblem(statement: unknown): string | undefined {
  const syntax = 'This resource policy contains a syntax error';
  if (!isFields(statement)) return `${syntax}: a statement is an object.`;
  const unknown = Object.keys(statement).find((name) => !STATEMENT_ELEMENTS.includes(name));
  if (unknown !== undefined) return `${syntax}: unknown element ${unknown}.`;
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') return `${syntax}: Effect is Allow or Deny.`;
  for (const name of ['Principal', 'Action', 'Resource']) {
    const given = [statement[name], statement[`Not${name}`]].filter((value) => value !== undefined);
    if (given.length !== 1) return `${syntax}: a statement has one of ${name} and Not${name}.`;
  }
  if (!isPrincipal(statement.Principal ?? statement.NotPrincipal)) {
    return 'This resource policy contains an unsupported principal.';
  }
  const actions = textsOf(statement.Action ?? statement.NotAction);
  if (!actions?.every((action) => action === '*' || /^secretsmanager:[a-z*?]+$/i.test(action))) {
    return 'This resource policy contains an unsupported action.';
  }
  const resources = textsOf(statement.Resource ?? statement.NotResource);
  if (!resources?.every((resource) => resource === '*' || resource.startsWith('arn:'))) {
    return 'This resource policy contains an unsupported resource.';
  }
  if (statement.Condition !== undefined && !isFields(statement.Condition)) return `${syntax}: Condition is an object.`;
  return undefined;
}

function isFixed(condition: unknown): boolean {
  if (!isFields(condition)) return false;
  return Object.entries(condition).some(
    ([operator, keys]) =>
      /^(ForAnyValue:)?(String(Equals|Like|EqualsIgnoreCase)|Arn(Equals|Like)|IpAddress)$/.test(operator) &&
      isFields(keys) &&
      Object.entries(keys).some(
        ([key, value]) =>
          FIXING_KEYS.includes(key.toLowerCase()) &&
          [value].flat().every((text) => !/^(\*|0\.0\.0\.0\/0|::\/0)$/.test(String(text))),
      ),
  );
}
