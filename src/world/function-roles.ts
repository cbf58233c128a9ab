import { ServiceError } from '../base/errors.ts';
import type { Iam } from '../services/iam/index.ts';
import type { Principal, RequestContext } from '../services/index.ts';
import type { RoleCheck } from '../services/lambda/index.ts';

/** What Lambda asks IAM about the roles of functions. */
export function functionRoles(iam: () => Promise<Iam>): RoleCheck {
  return {
    assumableByLambda: async (roleArn) => {
      const { identities } = await iam();
      const role = await identities.findRole(roleArn);
      const question = {
        action: 'sts:AssumeRole',
        principal: { service: 'lambda.amazonaws.com' },
        conditions: {},
      } as const;
      return role !== undefined && identities.trusts(role.trustPolicy, question);
    },
    allows: async (roleArn, sessionName, request, region) => {
      const { identities, authorizer } = await iam();
      const role = await identities.findRole(roleArn);
      if (!role) return false;
      const { account } = role;
      const principal: Principal = {
        type: 'AssumedRole',
        account,
        arn: `arn:aws:sts::${account}:assumed-role/${role.name}/${sessionName}`,
        userId: `${role.id}:${sessionName}`,
        accessKeyId: undefined,
        roleArn,
      };
      try {
        await authorizer.authorize(principal, [request], lambdaContext(principal, region));
        return true;
      } catch (error) {
        if (error instanceof ServiceError) return false;
        throw error;
      }
    },
  };
}

/** What Lambda does by itself, in the name of a function's role, has no request of its own. */
function lambdaContext(principal: Principal, region: string): RequestContext {
  const { account } = principal;
  return {
    service: 'lambda',
    operation: 'Destination',
    account,
    region,
    requestId: '',
    principal,
    sourceIp: 'lambda.amazonaws.com',
    userAgent: 'lambda.amazonaws.com',
    secure: true,
    headers: {},
    host: 'localhost',
    signal: new AbortController().signal,
    responseHeaders: {},
  };
}
