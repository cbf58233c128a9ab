import type { ProtocolName } from '../schema/model.ts';
import type { ServiceEntry, ServiceRegistry } from '../service-registry.ts';
import type { Signature } from '../sigv4/signature.ts';
import { type HostMeaning, readHost } from './host.ts';
import { rpcPath } from './rpc-path.ts';
import type { WireRequest } from './wire-request.ts';

/** The service that a request is for, or the name of one that is not served here. */
export type Detected =
  | { readonly entry: ServiceEntry; readonly host: HostMeaning }
  | { readonly unserved: string; readonly host: HostMeaning };

const noHost: HostMeaning = { service: undefined, region: undefined, bucket: undefined };
/** Digits and colons only, or a plain local name: not worth parsing. */
const plainHost = /^(?:[\d.]+|localhost|\[[\da-f:]+\])(?::\d+)?$/;

/**
 * Which service a request is for: by the signature's scope, else the target header, the RPC path, the host, a form's
 * version, an action that needs no signature; what is left is for S3, whose anonymous requests are plain paths. A form must have been read before.
 */
export function detectService(
  registry: ServiceRegistry,
  request: WireRequest,
  signature: Signature | undefined,
): Detected {
  const host = plainHost.test(request.host)
    ? noHost
    : readHost(request.host, (label) => registry.byHost(label) !== undefined);
  if (signature) return found(registry.byName(signature.service), signature.service, host);
  const target = request.header('x-amz-target');
  if (target !== undefined) return found(registry.byTarget(target), target.split('.')[0]!, host);
  const rpc = rpcPath(request.path);
  if (rpc && request.headers['smithy-protocol'] !== undefined)
    return found(registry.byRpcName(rpc.service), rpc.service, host);
  if (host.service !== undefined) return found(registry.byHost(host.service), host.service, host);
  const action = request.path === '/' ? request.field('Action') : undefined;
  if (action !== undefined) {
    const version = request.field('Version');
    if (version !== undefined) return found(registry.byQueryVersion(version), `a service of version ${version}`, host);
    const open = registry.byAnonymousAction(action);
    if (open) return { entry: open, host };
  }
  return found(registry.byName('s3'), 's3', host);
}

function found(entry: ServiceEntry | undefined, name: string, host: HostMeaning): Detected {
  return entry ? { entry, host } : { unserved: name, host };
}

/** Which of the service's protocols a request speaks. */
export function detectProtocol(protocols: readonly ProtocolName[], request: WireRequest): ProtocolName {
  if (protocols.length === 1) return protocols[0]!;
  const spoken = spokenProtocols(request);
  return protocols.find((name) => spoken.includes(name)) ?? protocols[0]!;
}

function spokenProtocols(request: WireRequest): readonly ProtocolName[] {
  if (request.headers['smithy-protocol'] === 'rpc-v2-cbor') return ['rpcv2Cbor'];
  if (request.headers['x-amz-target'] !== undefined) return ['awsJson1_0', 'awsJson1_1'];
  if (request.form !== undefined || request.query.has('Action')) return ['query', 'ec2Query'];
  return ['restJson1', 'restXml'];
}

/** Whether the body is a form, as the query protocols send. */
export function hasForm(request: WireRequest): boolean {
  return (
    request.method === 'POST' &&
    request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true &&
    request.headers['x-amz-target'] === undefined
  );
}
