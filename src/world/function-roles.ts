import type { Iam } from '../services/iam/index.ts';
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
  };
}
