import { ServiceError } from '../../base/errors.ts';
import type { Principal, RequestContext } from '../service.ts';
import type { AuthorizationTokens } from './authorization-tokens.ts';
import { repositoryArn } from './names.ts';
import { checkPolicy, withStatement } from './policy-text.ts';
import type { RepositoryId } from './records.ts';
import { accessTo } from './registry-view.ts';
import { changeRepository, type EcrState, getRepository } from './state.ts';

/** For which function an image is read, and who deploys it. */
export interface FunctionImageUse {
  readonly functionArn: string;
  /** The function's. */
  readonly account: string;
  readonly region: string;
  /** Of the request that names the image. */
  readonly context: RequestContext;
}

const LAMBDA = 'lambda.amazonaws.com';
const READ_ACTIONS = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
const POLICY_ACTIONS = ['ecr:GetRepositoryPolicy', 'ecr:SetRepositoryPolicy'];

/**
 * A password (user `AWS`) by which the image of a function can be read. From a repository of the function's own account Lambda
 * reads itself: the repository's policy must let it, and is given a statement that does if the caller may set it. From
 * another account's, the caller reads. Throws AccessDenied (403) and RepositoryNotFoundException. Source: Lambda Developer
 * Guide, "Create a Lambda function using a container image", Amazon ECR permissions and cross-account permissions.
 */
export async function passwordForFunction(
  state: EcrState,
  tokens: AuthorizationTokens,
  id: RepositoryId,
  use: FunctionImageUse,
): Promise<string> {
  await getRepository(state.store, id);
  const { account, context, functionArn } = use;
  if (account !== id.account) {
    await authorize(state, id, READ_ACTIONS, context.principal, context);
    return (await tokens.issue(context.principal)).password;
  }
  const lambda: Principal = {
    type: 'Service',
    account,
    arn: LAMBDA,
    userId: LAMBDA,
    accessKeyId: undefined,
    service: LAMBDA,
    source: { arn: functionArn, account },
  };
  if (!(await mayRead(state, id, lambda, context))) await letLambdaRead(state, id, lambda, use);
  return (await tokens.issue(lambda)).password;
}

async function letLambdaRead(state: EcrState, id: RepositoryId, lambda: Principal, use: FunctionImageUse) {
  const { context } = use;
  await authorize(state, id, POLICY_ACTIONS, context.principal, context);
  const statement = {
    Sid: 'LambdaECRImageRetrievalPolicy',
    Effect: 'Allow',
    Principal: { Service: LAMBDA },
    Action: READ_ACTIONS,
    Condition: { StringLike: { 'aws:sourceArn': `arn:aws:lambda:${use.region}:${use.account}:function:*` } },
  };
  const { policy } = await getRepository(state.store, id);
  const text = withStatement(policy, statement);
  checkPolicy(text);
  // A statement that denies it wins over the new one, which would be of no use.
  await authorize(state, id, READ_ACTIONS, lambda, context, text);
  await changeRepository(state, id, (record) => ({ ...record, policy: withStatement(record.policy, statement) }));
}

async function mayRead(state: EcrState, id: RepositoryId, principal: Principal, context: RequestContext) {
  try {
    await authorize(state, id, READ_ACTIONS, principal, context);
    return true;
  } catch (error) {
    if (error instanceof ServiceError && error.status === 403) return false;
    throw error;
  }
}

async function authorize(
  state: EcrState,
  id: RepositoryId,
  actions: readonly string[],
  principal: Principal,
  context: RequestContext,
  otherPolicy?: string,
): Promise<void> {
  const { conditions, policy } = await accessTo(state, id, otherPolicy);
  const about = {
    resource: repositoryArn(id),
    resourceAccount: id.account,
    resourcePolicy: policy,
    conditions,
  };
  const requests = actions.map((action) => ({ action, ...about }));
  await state.authorizer.authorize(principal, requests, { ...context, principal, service: 'ecr' });
}
