import type { CompiledPolicy, PolicyPrincipal, PrincipalFit, StatementMatch } from './compiled-policy.ts';
import type { ConditionContext } from './context.ts';

/** A policy that took part, named for reports. */
export interface NamedPolicy {
  readonly id: string;
  readonly policy: CompiledPolicy;
}

export interface EvaluationInput {
  readonly action: string;
  readonly resource: string;
  readonly context: ConditionContext;
  readonly principal: PolicyPrincipal;
  /** The account's root user: its own account allows it everything. */
  readonly isRoot: boolean;
  /** Policies of the user and its groups, or of the role. */
  readonly identity: readonly NamedPolicy[];
  readonly boundary?: NamedPolicy | undefined;
  /** `undefined`: the session was not limited. */
  readonly session?: NamedPolicy | undefined;
  readonly resourcePolicy?: NamedPolicy | undefined;
  /** Account that owns the resource. */
  readonly resourceAccount: string | undefined;
  /** The resource policy must allow, also inside the account (role trust policies). */
  readonly resourcePolicyDecides?: boolean;
}

export type PolicySource =
  | 'identity-based policy'
  | 'resource-based policy'
  | 'permissions boundary'
  | 'session policy';

export interface Evaluation {
  readonly decision: 'allowed' | 'explicitDeny' | 'implicitDeny';
  /** For a denial: the kind of policy that denies, or in which an allow is missing. */
  readonly source: PolicySource | undefined;
  /** Statements that decided. */
  readonly matches: readonly { readonly id: string; readonly match: StatementMatch }[];
}

interface Side {
  readonly source: PolicySource;
  readonly allows: { readonly id: string; readonly match: StatementMatch }[];
  readonly denies: { readonly id: string; readonly match: StatementMatch }[];
}

/**
 * Decides one request. Source: IAM User Guide, "Policy evaluation logic": an explicit deny anywhere wins; inside an
 * account the resource's policy and the principal's add up; across accounts both must allow; boundary and session policy
 * limit what identity policies (and a resource policy that names only the role) give.
 */
export function evaluate(input: EvaluationInput): Evaluation {
  const identity = ask('identity-based policy', input.identity, input, false);
  const boundary = input.boundary && ask('permissions boundary', [input.boundary], input, false);
  const session = input.session && ask('session policy', [input.session], input, false);
  const resource = input.resourcePolicy && ask('resource-based policy', [input.resourcePolicy], input, true);
  for (const side of [identity, resource, boundary, session]) {
    if (side && side.denies.length > 0) return { decision: 'explicitDeny', source: side.source, matches: side.denies };
  }
  const fit = bestFit(resource);
  const isForeign = input.principal.account !== input.resourceAccount;
  const limited = firstWithout([boundary, session]);
  const identityAllows = input.isRoot || identity.allows.length > 0;

  // Neither services nor anonymous requests have policies of their own.
  if (input.principal.account === undefined) {
    return resource && fit !== 'none' ? allowed(resource) : implicitDeny('resource-based policy');
  }
  if (isForeign || input.resourcePolicyDecides) {
    if (!resource || fit === 'none') return implicitDeny('resource-based policy');
    // Inside the account, a trust policy that names the caller itself needs no further permission.
    if (!isForeign && fit === 'direct') return allowed(resource);
    if (!isForeign && fit === 'role') return limited ? implicitDeny(limited.source) : allowed(resource);
    if (!identityAllows) return implicitDeny('identity-based policy');
    return limited ? implicitDeny(limited.source) : allowed(resource, identity);
  }
  if (resource && fit === 'direct') return allowed(resource);
  if (resource && fit === 'role') return limited ? implicitDeny(limited.source) : allowed(resource);
  if (!identityAllows) return implicitDeny('identity-based policy');
  return limited ? implicitDeny(limited.source) : allowed(identity);
}

function ask(
  source: PolicySource,
  policies: readonly NamedPolicy[],
  input: EvaluationInput,
  withPrincipal: boolean,
): Side {
  const side: Side = { source, allows: [], denies: [] };
  const { action, resource, context, principal } = input;
  for (const { id, policy } of policies) {
    for (const match of policy.match({ action, resource, context, ...(withPrincipal ? { principal } : {}) })) {
      (match.effect === 'Allow' ? side.allows : side.denies).push({ id, match });
    }
  }
  return side;
}

function bestFit(resource: Side | undefined): PrincipalFit {
  const fits = resource?.allows.map(({ match }) => match.fit) ?? [];
  return (['direct', 'role', 'account'] as const).find((fit) => fits.includes(fit)) ?? 'none';
}

/** The first limit that does not allow. */
function firstWithout(sides: readonly (Side | undefined)[]): Side | undefined {
  return sides.find((side) => side !== undefined && side.allows.length === 0);
}

function allowed(...sides: readonly Side[]): Evaluation {
  return { decision: 'allowed', source: undefined, matches: sides.flatMap(({ allows }) => allows) };
}

function implicitDeny(source: PolicySource): Evaluation {
  return { decision: 'implicitDeny', source, matches: [] };
}
