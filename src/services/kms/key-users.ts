import { ServiceError } from '../../base/errors.ts';
import type { Authorizer, ServiceAccess } from '../authorization.ts';
import type { KeyUser } from '../encryption.ts';
import type { Principal, RequestContext } from '../service.ts';
import type { KeyUserCheck } from './encryption-port.ts';
import { accessDenied } from './errors.ts';
import type { GrantUser } from './grants.ts';
import { type Conditions, keyQuestion } from './key-question.ts';
import type { KmsState } from './state.ts';

export interface KeyUserOptions {
  readonly load: () => Promise<KmsState>;
  readonly access: ServiceAccess;
  readonly authorizer: Authorizer;
}

/**
 * Checks other services' use of keys in enforce mode: their callers need the rights to the key themselves, and policies
 * may ask through which service they come (`kms:ViaService`).
 */
export function keyUserCheck({ load, access, authorizer }: KeyUserOptions): KeyUserCheck {
  return async (action, key, encryptionContext, user) => {
    const conditions: Conditions = {
      'kms:ViaService': [user.service.replace(/\.amazonaws\.com$/, `.${user.region}.amazonaws.com`)],
      'aws:ViaAWSService': ['true'],
    };
    const grantUser = grantUserOf(user);
    const question = await keyQuestion(await load(), key, { action, user: grantUser, encryptionContext, conditions });
    if (user.principal) {
      await authorize(authorizer, user.principal, question, user);
      return;
    }
    const caller = user.caller ?? { service: user.service, sourceAccount: user.account };
    const { resource, resourcePolicy } = question;
    const allowed = await access.allows({
      action: question.action,
      resource,
      resourceAccount: key.record.account,
      region: user.region,
      resourcePolicy,
      resourcePolicyDecides: true,
      conditions: question.conditions ?? {},
      caller,
    });
    if (!allowed) {
      const who = caller.roleArn ?? caller.service;
      throw accessDenied(`User: ${who} is not authorized to perform: ${question.action} on resource: ${resource}`);
    }
  };
}

async function authorize(
  authorizer: Authorizer,
  principal: Principal,
  question: Parameters<Authorizer['authorize']>[1][number],
  user: KeyUser,
): Promise<void> {
  try {
    await authorizer.authorize(principal, [question], requestOf(principal, question.action, user));
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'AccessDenied') throw accessDenied(error.message);
    throw error;
  }
}

function grantUserOf({ principal, caller, service, account }: KeyUser): GrantUser {
  if (principal) return principal;
  const roleArn = caller?.roleArn;
  if (roleArn !== undefined) return { type: 'AssumedRole', account, arn: roleArn, roleArn };
  const name = caller?.service ?? service;
  return { type: 'Service', account, arn: name, service: name, sourceArn: caller?.sourceArn };
}

/** What a service does in a caller's name has no request of its own at KMS. */
function requestOf(principal: Principal, action: string, { account, region, service }: KeyUser): RequestContext {
  return {
    service: 'kms',
    operation: action.slice('kms:'.length),
    account,
    region,
    requestId: '',
    principal,
    sourceIp: service,
    userAgent: service,
    secure: true,
    headers: {},
    host: 'localhost',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}
