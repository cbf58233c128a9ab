import {
  isFields,
  isPrincipal,
  POLICY_ELEMENTS,
  POLICY_VERSIONS,
  parsePolicy,
  STATEMENT_ELEMENTS,
  statementsOf,
  textsOf,
} from '../resource-policy.ts';
import { constraint } from './errors.ts';

const MAX_LENGTH = 10_240;

/**
 * Checks the text of a repository's or registry's policy. Throws InvalidParameterException. Sources: Amazon ECR User Guide,
 * "Private repository policies in Amazon ECR", "Private registry permissions in Amazon ECR"; IAM User Guide, "IAM JSON policy elements reference".
 */
export function checkPolicy(text: string, member = 'PolicyText'): void {
  if (text.length > MAX_LENGTH) throw constraint(member, `must have length less than or equal to ${MAX_LENGTH}`);
  const document = parsePolicy(text);
  const statements = document ? statementsOf(document) : [];
  const valid =
    document &&
    statements.length > 0 &&
    Object.keys(document).every((name) => POLICY_ELEMENTS.includes(name)) &&
    (document.Version === undefined || POLICY_VERSIONS.includes(document.Version)) &&
    statements.every(isStatement);
  if (!valid) throw constraint(member, 'Invalid repository policy provided');
}

/**
 * The policy as IAM reads it: a repository's own policy names no resource, as it is about that repository; several
 * policies that hold together become one.
 */
export function policyForEvaluation(...texts: readonly (string | undefined)[]): string | undefined {
  const statements = texts.flatMap((text) => (text === undefined ? [] : statementsOf(parsePolicy(text) ?? {})));
  if (statements.length === 0) return undefined;
  const whole = statements.filter(isFields).map((statement, i) => ({
    ...statement,
    Sid: `s${i}`,
    ...(statement.Resource === undefined && statement.NotResource === undefined ? { Resource: '*' } : {}),
  }));
  return JSON.stringify({ Version: '2012-10-17', Statement: whole });
}

/** A policy with one statement more, in place of one of the same `Sid`. */
export function withStatement(text: string | undefined, statement: { readonly Sid: string }): string {
  const document = text === undefined ? undefined : parsePolicy(text);
  const others = document ? statementsOf(document) : [];
  const kept = others.filter((other) => !isFields(other) || other.Sid !== statement.Sid);
  return JSON.stringify({ Version: '2012-10-17', ...document, Statement: [...kept, statement] });
}

function isStatement(statement: unknown): boolean {
  if (!isFields(statement)) return false;
  const { Effect: effect, Condition: condition } = statement;
  const principal = statement.Principal ?? statement.NotPrincipal;
  const actions = textsOf(statement.Action ?? statement.NotAction);
  const resources = statement.Resource ?? statement.NotResource;
  return (
    Object.keys(statement).every((name) => STATEMENT_ELEMENTS.includes(name)) &&
    (effect === 'Allow' || effect === 'Deny') &&
    ['Principal', 'Action', 'Resource'].every((name) => !(name in statement && `Not${name}` in statement)) &&
    isPrincipal(principal) &&
    actions?.every((action) => action === '*' || /^ecr:[a-z*?]+$/i.test(action)) === true &&
    (resources === undefined || textsOf(resources)?.every((arn) => arn === '*' || arn.startsWith('arn:')) === true) &&
    (condition === undefined || isFields(condition))
  );
}
