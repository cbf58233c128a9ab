import { CreateRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { CreateFunctionCommand, LambdaClient, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { packageOf } from './package.ts';
import type { BenchServer } from './server.ts';

/** The handler of the benchmarks: gives its event back. */
export const ECHO_HANDLER = 'exports.handler = async (event) => event;\n';

/** Deploys the handler as function `echo`, with a role that it may assume. */
export async function deployEcho(server: Pick<BenchServer, 'endpoint' | 'region' | 'credentials'>): Promise<void> {
  const iam = new IAMClient(server);
  const lambda = new LambdaClient(server);
  try {
    const { Role } = await iam.send(
      new CreateRoleCommand({
        RoleName: 'echo',
        AssumeRolePolicyDocument: JSON.stringify({
          Version: '2012-10-17',
          Statement: { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
        }),
      }),
    );
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'echo',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: Role!.Arn,
        // One whole processor: less memory is a share of one, and then the share is what is measured.
        MemorySize: 1769,
        Code: { ZipFile: await packageOf(ECHO_HANDLER) },
      }),
    );
    await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30, minDelay: 0.1 }, { FunctionName: 'echo' });
  } finally {
    iam.destroy();
    lambda.destroy();
  }
}
