import {
  AttachRolePolicyCommand,
  CreateRoleCommand,
  EntityAlreadyExistsException,
  GetRoleCommand,
  type IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';

/** What a role allows. */
export interface Allowed {
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

/** Creates a role that a service may assume, or gives an existing one these rights; resolves to its ARN. */
export async function createRole(
  iam: IAMClient,
  RoleName: string,
  service: string,
  allowed: readonly Allowed[],
): Promise<string> {
  const trust = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' };
  await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: policy([trust]) })).catch((error) => {
    if (!(error instanceof EntityAlreadyExistsException)) throw error;
  });
  if (service === 'lambda.amazonaws.com') {
    const PolicyArn = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole';
    await iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn }));
  }
  const statements = allowed.map((statement) => ({ Effect: 'Allow', ...statement }));
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'work', PolicyDocument: policy(statements) }));
  const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
  return Role!.Arn!;
}

const policy = (Statement: readonly object[]): string => JSON.stringify({ Version: '2012-10-17', Statement });
