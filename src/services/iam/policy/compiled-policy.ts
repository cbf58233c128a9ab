import { type ConditionTest, compileCondition } from './conditions.ts';
import { type ConditionContext, compileTemplate } from './context.ts';
import { type PolicyDocument, type PolicyKind, type Principals, parsePolicy, type Statement } from './document.ts';
import { compileArnPattern, compileWildcard } from './wildcard.ts';

/** Who asks, as policies name principals. */
export interface PolicyPrincipal {
  /** Account of the principal; `undefined` for services and anonymous requests. */
  readonly account: string | undefined;
  /** User ARN, session ARN, root ARN; `*` for anonymous. */
  readonly arn: string;
  /** For a role session: the role's ARN. */
  readonly roleArn?: string | undefined;
  readonly userId?: string | undefined;
  /** `s3.amazonaws.com` */
  readonly service?: string | undefined;
  /** ARN of the identity provider that vouches for a web identity. */
  readonly federated?: string | undefined;
}

/** How a resource policy's principal fits: by whole account only, by role, or by this very user or session (or everyone). */
export type PrincipalFit = 'none' | 'account' | 'role' | 'direct';

/** One statement that applied. */
export interface StatementMatch {
  readonly effect: 'Allow' | 'Deny';
  readonly sid: string | undefined;
  readonly index: number;
  readonly fit: PrincipalFit;
}

export interface PolicyQuestion {
  readonly action: string;
  readonly resource: string;
  readonly context: ConditionContext;
  /** Needed for resource and trust policies. */
  readonly principal?: PolicyPrincipal;
}

interface CompiledStatement {
  readonly effect: 'Allow' | 'Deny';
  readonly sid: string | undefined;
  readonly index: number;
  readonly action: (lowerCaseAction: string) => boolean;
  readonly resource: (resource: string, context: ConditionContext) => boolean;
  readonly principal: (principal: PolicyPrincipal) => PrincipalFit;
  readonly conditions: readonly ConditionTest[];
}

/** A policy document made ready to be asked many times. */
export interface CompiledPolicy {
  readonly document: PolicyDocument;
  /** The statements that apply to the question. */
  match(question: PolicyQuestion): StatementMatch[];
}

const FIT_ORDER: readonly PrincipalFit[] = ['none', 'account', 'role', 'direct'];

/** Parses, checks and compiles a document. Throws MalformedPolicyDocument. */
export function compilePolicy(text: string, kind: PolicyKind): CompiledPolicy {
  const document = parsePolicy(text, kind);
  const statements = document.statements.map((statement, index) =>
    compileStatement(statement, index, document.version),
  );
  return {
    document,
    match: ({ action, resource, context, principal }) => {
      const lowerAction = action.toLowerCase();
      const matches: StatementMatch[] = [];
      for (const statement of statements) {
        if (!statement.action(lowerAction) || !statement.resource(resource, context)) continue;
        const fit = principal ? statement.principal(principal) : 'direct';
        if (fit === 'none') continue;
        if (!statement.conditions.every((holds) => holds(context))) continue;
        matches.push({ effect: statement.effect, sid: statement.sid, index: statement.index, fit });
      }
      return matches;
    },
  };
}

function compileStatement(statement: Statement, index: number, version: string): CompiledStatement {
  return {
    effect: statement.effect,
    sid: statement.sid,
    index,
    action: compileActions(statement),
    resource: compileResources(statement, version),
    principal: compilePrincipals(statement),
    conditions: statement.conditions.map((condition) => compileCondition(condition, version)),
  };
}

/** Actions do not distinguish case. */
function compileActions({ actions, notActions }: Statement): (action: string) => boolean {
  const patterns = (actions ?? notActions ?? []).map((pattern) => pattern.toLowerCase());
  const literals = new Set(patterns.filter((pattern) => !/[*?]/.test(pattern)));
  const wildcards = patterns.filter((pattern) => /[*?]/.test(pattern)).map(compileWildcard);
  const any = (action: string): boolean => literals.has(action) || wildcards.some((matches) => matches(action));
  return actions ? any : (action) => !any(action);
}

function compileResources(
  { resources, notResources }: Statement,
  version: string,
): (resource: string, context: ConditionContext) => boolean {
  const patterns = resources ?? notResources;
  // A trust policy's resource is the role itself.
  if (!patterns) return () => true;
  const tests = patterns.map((pattern): ((resource: string, context: ConditionContext) => boolean) => {
    const template = compileTemplate(pattern, version);
    if (typeof template === 'string') return compileArnPattern(template);
    return (resource, context) => {
      const filled = template(context);
      return filled !== undefined && compileArnPattern(filled)(resource);
    };
  });
  const any = (resource: string, context: ConditionContext): boolean => tests.some((test) => test(resource, context));
  return resources ? any : (resource, context) => !any(resource, context);
}

function compilePrincipals({ principals, notPrincipals }: Statement): (principal: PolicyPrincipal) => PrincipalFit {
  if (principals) return (principal) => fitOf(principals, principal);
  // With NotPrincipal, naming the account alone does not except the session: IAM User Guide, "AWS JSON policy elements: NotPrincipal".
  if (notPrincipals) {
    return (principal) =>
      FIT_ORDER.indexOf(fitOf(notPrincipals, principal)) >= FIT_ORDER.indexOf('role') ? 'none' : 'direct';
  }
  return () => 'direct';
}

/** The closest fit among the named principals. Source: IAM User Guide, "AWS JSON policy elements: Principal". */
function fitOf({ everyone, values }: Principals, principal: PolicyPrincipal): PrincipalFit {
  if (everyone) return 'direct';
  if (principal.service !== undefined) return values.get('Service')?.includes(principal.service) ? 'direct' : 'none';
  if (principal.federated !== undefined) {
    return values.get('Federated')?.includes(principal.federated) ? 'direct' : 'none';
  }
  let best: PrincipalFit = 'none';
  for (const name of values.get('AWS') ?? []) {
    const fit = fitOfName(name, principal);
    if (FIT_ORDER.indexOf(fit) > FIT_ORDER.indexOf(best)) best = fit;
  }
  return best;
}

function fitOfName(name: string, principal: PolicyPrincipal): PrincipalFit {
  if (name === principal.arn || name === principal.userId) return 'direct';
  if (principal.roleArn !== undefined && name === principal.roleArn) return 'role';
  // A role's unique id, which IAM stores in place of the ARN of a deleted role.
  if (principal.userId?.startsWith(`${name}:`)) return 'role';
  if (principal.account === undefined) return 'none';
  const isWholeAccount =
    name === principal.account || (name.startsWith('arn:aws') && name.endsWith(`:iam::${principal.account}:root`));
  return isWholeAccount ? 'account' : 'none';
}
