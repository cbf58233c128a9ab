import { ServiceError } from '../../base/errors.ts';
import type { Authorizer, ServiceAccess, ServiceQuestion } from '../authorization.ts';
import type { AuthorizationRequest, Principal, RequestContext } from '../service.ts';
import type { IamIdentities } from './identities.ts';

/** Answers what services may do to each other's resources, from the policies in the store. */
export class PolicyServiceAccess implements ServiceAccess {
  readonly #identities: IamIdentities;
  readonly #authorizer: Authorizer;

  constructor(identities: IamIdentities, authorizer: Authorizer) {
    this.#identities = identities;
    this.#authorizer = authorizer;
  }

  async allows(question: ServiceQuestion): Promise<boolean> {
    const { action, caller, resource, resourceAccount, resourcePolicy } = question;
    const principal = await this.#principal(question);
    if (!principal) return false;
    const request: AuthorizationRequest = {
      action,
      resource,
      resourceAccount,
      resourcePolicy,
      resourcePolicyDecides: question.resourcePolicyDecides === true,
      conditions: {
        ...question.conditions,
        ...(caller.sourceArn === undefined ? {} : { 'aws:SourceArn': [caller.sourceArn] }),
        ...(caller.sourceAccount === undefined ? {} : { 'aws:SourceAccount': [caller.sourceAccount] }),
      },
    };
    try {
      await this.#authorizer.authorize(principal, [request], contextOf(principal, question));
      return true;
    } catch (error) {
      if (error instanceof ServiceError) return false;
      throw error;
    }
  }

  /** The service itself, or a session of the role that it assumes; `undefined` when the role does not trust it. */
  async #principal({ caller, resourceAccount }: ServiceQuestion): Promise<Principal | undefined> {
    const { roleArn, service } = caller;
    if (roleArn === undefined) {
      return {
        type: 'Service',
        account: resourceAccount,
        arn: service,
        userId: service,
        accessKeyId: undefined,
        service,
      };
    }
    const role = await this.#identities.findRole(roleArn);
    const question = {
      action: 'sts:AssumeRole',
      principal: { service },
      conditions: {
        ...(caller.sourceArn === undefined ? {} : { 'aws:SourceArn': [caller.sourceArn] }),
        ...(caller.sourceAccount === undefined ? {} : { 'aws:SourceAccount': [caller.sourceAccount] }),
      },
    };
    if (!role || !this.#identities.trusts(role.trustPolicy, question)) return undefined;
    const { account } = role;
    const session = service.replace(/\.amazonaws\.com$/, '');
    return {
      type: 'AssumedRole',
      account,
      arn: `arn:aws:sts::${account}:assumed-role/${role.name}/${session}`,
      userId: `${role.id}:${session}`,
      accessKeyId: undefined,
      roleArn,
    };
  }
}

/** What services do by themselves has no request of its own. */
function contextOf(principal: Principal, { action, caller, region }: ServiceQuestion): RequestContext {
  const [service = '', operation = ''] = action.split(':');
  return {
    service,
    operation,
    account: principal.account,
    region,
    requestId: '',
    principal,
    sourceIp: caller.service,
    userAgent: caller.service,
    secure: true,
    headers: {},
    host: 'localhost',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}
