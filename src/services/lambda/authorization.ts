import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { keys, type PolicyRecord } from './model.ts';
import { functionArn, layerArn, layerVersionArn, parseFunctionName } from './names.ts';
import { policyDocument } from './permissions.ts';
import type { Room } from './room.ts';

/** Members that name what an operation acts on. */
interface Named {
  readonly FunctionName?: string;
  readonly Qualifier?: string;
  readonly Name?: string;
  readonly LayerName?: string;
  readonly VersionNumber?: number;
  readonly Arn?: string;
  readonly Resource?: string;
  readonly Role?: string;
  readonly Layers?: readonly string[];
}

/** Operations whose action has another name. Source: Service Authorization Reference, "AWS Lambda". */
const ACTIONS: Readonly<Record<string, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
  GetLayerVersionByArn: 'GetLayerVersion',
};

/** Operations that act on no single resource. */
const UNBOUND = new Set(['ListFunctions', 'ListLayers', 'GetAccountSettings', 'ListLayerVersions']);

/** What IAM must allow before an operation runs. Source: Service Authorization Reference, "AWS Lambda". */
export async function authorizationOf(
  room: Room,
  operation: string,
  input: Named,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `lambda:${ACTIONS[operation] ?? operation}`;
  if (UNBOUND.has(operation)) return [{ action, resource: '*' }];
  if (input.LayerName !== undefined) {
    const name = input.LayerName.split(':').pop()!;
    const resource =
      input.VersionNumber === undefined ? layerArn(context, name) : layerVersionArn(context, name, input.VersionNumber);
    return [{ action, resource }];
  }
  if (input.FunctionName === undefined) return [{ action, resource: input.Resource ?? input.Arn ?? '*' }];
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  const resource = functionArn(target, target.name, target.qualifier);
  const policy = await room.store.get<PolicyRecord>(keys.policy(target, target.name, target.qualifier ?? ''));
  const requests: AuthorizationRequest[] = [
    {
      action,
      resource,
      conditions: {
        'lambda:FunctionArn': [resource],
        ...(input.Layers === undefined || input.Layers.length === 0 ? {} : { 'lambda:Layer': input.Layers }),
      },
      resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
      resourceAccount: target.account,
    },
  ];
  if (input.Role !== undefined) {
    requests.push({
      action: 'iam:PassRole',
      resource: input.Role,
      conditions: { 'iam:PassedToService': ['lambda.amazonaws.com'] },
    });
  }
  return requests;
}
