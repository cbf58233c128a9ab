import { parseArn } from '../../base/arn.ts';
import type { Clock } from '../../base/clock.ts';
import { ServiceError } from '../../base/errors.ts';
import type { Authorizer } from '../authorization.ts';
import type { AuthorizationRequest, Principal, RequestContext } from '../service.ts';
import type { PolicyPrincipal } from './policy/compiled-policy.ts';
import { type Evaluation, evaluate } from './policy/evaluate.ts';
import type { PrincipalPolicies, PrincipalPolicyCache } from './principal-policies.ts';
import { RequestConditions } from './request-conditions.ts';

const NO_POLICIES: PrincipalPolicies = { identity: [], boundary: undefined, tags: {} };
/** Actions that a role's trust policy must allow, whoever asks. */
const TRUST_ACTIONS = new Set([
  'sts:assumerole',
  'sts:assumerolewithwebidentity',
  'sts:assumerolewithsaml',
  'sts:tagsession',
  'sts:setsourceidentity',
]);

/** Hears of each allowed request: when keys and roles were last used. */
export type UsageListener = (principal: Principal, context: RequestContext) => void;

/** Answers the wire's IAM questions from the policies in the store. */
export class PolicyAuthorizer implements Authorizer {
  readonly #policies: PrincipalPolicyCache;
  readonly #clock: Clock;
  readonly #used: UsageListener;

  constructor(policies: PrincipalPolicyCache, clock: Clock, used: UsageListener) {
    this.#policies = policies;
    this.#clock = clock;
    this.#used = used;
  }

  async authorize(
    principal: Principal,
    requests: readonly AuthorizationRequest[],
    context: RequestContext,
  ): Promise<void> {
    const hasPolicies = principal.type === 'User' || principal.type === 'AssumedRole';
    const policies = hasPolicies
      ? (this.#policies.known(principal) ?? (await this.#policies.load(principal)))
      : NO_POLICIES;
    for (const request of requests) {
      checkPassedRole(principal, request);
      const evaluation = this.evaluate(principal, policies, request, context);
      if (evaluation.decision !== 'allowed') throw accessDenied(principal, request, evaluation);
    }
    this.#used(principal, context);
  }

  evaluate(
    principal: Principal,
    policies: PrincipalPolicies,
    request: AuthorizationRequest,
    context: RequestContext,
  ): Evaluation {
    const isTrust = TRUST_ACTIONS.has(request.action.toLowerCase());
    return evaluate({
      action: request.action,
      resource: request.resource,
      context: new RequestConditions(principal, context, this.#clock.now(), policies.tags, request.conditions),
      principal: policyPrincipal(principal),
      isRoot: principal.type === 'Root',
      identity: policies.identity,
      boundary: policies.boundary,
      session:
        principal.sessionPolicy === undefined
          ? undefined
          : { id: 'session', policy: this.#policies.compiled(principal.sessionPolicy, 'identity') },
      resourcePolicy:
        request.resourcePolicy === undefined
          ? undefined
          : {
              id: request.resource,
              policy: this.#policies.compiled(request.resourcePolicy, isTrust ? 'trust' : 'resource'),
            },
      resourceAccount: request.resourceAccount ?? principal.account,
      resourcePolicyDecides: isTrust || request.resourcePolicyDecides === true,
    });
  }
}

export function policyPrincipal(principal: Principal): PolicyPrincipal {
  const belongs = principal.type !== 'Service' && principal.type !== 'Anonymous';
  return {
    account: belongs ? principal.account : undefined,
    arn: principal.arn,
    roleArn: principal.roleArn,
    userId: belongs ? principal.userId : undefined,
    service: principal.type === 'Service' ? principal.service : undefined,
  };
}

/**
 * A role serves its own account only, whatever policies say: otherwise a service would do for one account what only the other
 * may. Source: IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
 */
function checkPassedRole(principal: Principal, { action, resource }: AuthorizationRequest): void {
  if (action !== 'iam:PassRole') return;
  const role = parseArn(resource);
  if (role === undefined || role.account === principal.account) return;
  throw new ServiceError('AccessDenied', 'Cross-account pass role is not allowed.', { status: 403 });
}

/** The message as the IAM User Guide, "Troubleshoot access denied error messages", shows it. */
function accessDenied(
  principal: Principal,
  { action, resource }: AuthorizationRequest,
  { decision, source }: Evaluation,
): ServiceError {
  const who = principal.type === 'Anonymous' ? 'anonymous' : (principal.service ?? principal.arn);
  const on = resource === '*' ? '' : ` on resource: ${action.startsWith('s3:') ? `"${resource}"` : resource}`;
  const article = source === 'identity-based policy' ? 'an' : 'a';
  const why =
    decision === 'explicitDeny'
      ? `with an explicit deny in ${article} ${source}`
      : `because no ${source} allows the ${action} action`;
  return new ServiceError('AccessDenied', `User: ${who} is not authorized to perform: ${action}${on} ${why}`, {
    status: 403,
  });
}
