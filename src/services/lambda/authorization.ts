import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { type MappingRecord, mappingArn } from './event-sources/mapping-record.ts';
import { keys, type PolicyRecord } from './model.ts';
import {
  type FunctionName,
  functionArn,
  layerArn,
  layerVersionArn,
  parseFunctionName,
  parseLayerVersionArn,
} from './names.ts';
import { policyDocument } from './permissions.ts';
import type { Room } from './room.ts';

/** Members that name what an operation acts on. */
interface Named {
  readonly FunctionName?: string;
  readonly Qualifier?: string;
  readonly UUID?: string;
  readonly Name?: string;
  readonly LayerName?: string;
  readonly VersionNumber?: number;
  readonly Arn?: string;
  readonly Resource?: string;
  readonly Role?: string;
  readonly Layers?: readonly string[];
  readonly Code?: PackageSource;
  readonly Content?: PackageSource;
  readonly S3Bucket?: string;
  readonly S3Key?: string;
  readonly S3ObjectVersion?: string;
}

interface PackageSource {
  readonly S3Bucket?: string;
  readonly S3Key?: string;
  readonly S3ObjectVersion?: string;
}

/** Operations whose action has another name. Source: Service Authorization Reference, "AWS Lambda". */
const ACTIONS: Readonly<Record<string, string>> = {
  Invoke: 'InvokeFunction',
  InvokeWithResponseStream: 'InvokeFunction',
  GetLayerVersionByArn: 'GetLayerVersion',
};

/** Operations that act on no single resource. */
const UNBOUND = new Set([
  'ListFunctions',
  'ListLayers',
  'GetAccountSettings',
  'ListLayerVersions',
  'ListEventSourceMappings',
]);

/** What IAM must allow before an operation runs. Source: Service Authorization Reference, "AWS Lambda". */
export async function authorizationOf(
  room: Room,
  operation: string,
  input: Named,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  const action = `lambda:${ACTIONS[operation] ?? operation}`;
  if (UNBOUND.has(operation)) return [{ action, resource: '*' }];
  if (operation.endsWith('EventSourceMapping')) return mappingRequests(room, action, input, context);
  if (input.LayerName !== undefined) {
    const name = input.LayerName.split(':').pop()!;
    const resource =
      input.VersionNumber === undefined ? layerArn(context, name) : layerVersionArn(context, name, input.VersionNumber);
    return [{ action, resource }, ...packageRequests(input.Content)];
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
  requests.push(...packageRequests(input.Code ?? input));
  for (const layer of input.Layers ?? []) requests.push(await layerRequest(room, layer));
  return requests;
}

/**
 * A mapping's operations can be bound to the function that it invokes, and to the one that it is to invoke; creation acts
 * on nothing that is there yet.
 */
async function mappingRequests(
  room: Room,
  action: string,
  input: Named,
  context: RequestContext,
): Promise<AuthorizationRequest[]> {
  const boundTo = (target: FunctionName) => ({
    'lambda:FunctionArn': [functionArn(target, target.name, target.qualifier)],
  });
  const named = () => boundTo(parseFunctionName(input.FunctionName, undefined, context));
  if (input.UUID === undefined) return [{ action, resource: '*', conditions: named() }];
  const resource = mappingArn(context, input.UUID);
  const record = (await room.store.get<MappingRecord>(keys.eventSource(context, input.UUID)))?.value;
  if (!record) return [{ action, resource }];
  const request = { action, resource, conditions: boundTo(record.function) };
  return input.FunctionName === undefined ? [request] : [request, { action, resource, conditions: named() }];
}

/** Whoever deploys a package out of a bucket must be able to read it there. */
function packageRequests(source: PackageSource | undefined): AuthorizationRequest[] {
  if (source?.S3Bucket === undefined || source.S3Key === undefined) return [];
  const action = source.S3ObjectVersion === undefined ? 's3:GetObject' : 's3:GetObjectVersion';
  return [{ action, resource: `arn:aws:s3:::${source.S3Bucket}/${source.S3Key}` }];
}

/** Using a layer takes the permission to get it: from one's own account, and from its owner's if that is another. */
async function layerRequest(room: Room, arn: string): Promise<AuthorizationRequest> {
  const layer = parseLayerVersionArn(arn);
  if (!layer) return { action: 'lambda:GetLayerVersion', resource: arn };
  const policy = await room.store.get<PolicyRecord>(keys.layerPolicy(layer, layer.name, layer.version));
  return {
    action: 'lambda:GetLayerVersion',
    resource: arn,
    resourcePolicy: policy === undefined ? undefined : policyDocument(policy.value),
    resourceAccount: layer.account,
  };
}
