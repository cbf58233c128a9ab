import type { OperationModel } from '../schema/model.ts';
import type { Member, StructureShape } from '../schema/shape.ts';

/** Where the members of an input or output go in an HTTP message, sorted out once per operation. */
export interface HttpBindings {
  readonly shape: StructureShape;
  /** In the order of the template's labels. */
  readonly labels: readonly Member[];
  readonly query: readonly { readonly name: string; readonly member: Member }[];
  /** Names of query parameters that are part of the template. */
  readonly literals: readonly string[];
  readonly queryParams: Member | undefined;
  /** Lower-case header names. */
  readonly headers: readonly { readonly name: string; readonly member: Member }[];
  readonly prefixHeaders: { readonly prefix: string; readonly member: Member } | undefined;
  readonly statusCode: Member | undefined;
  readonly payload: Member | undefined;
  /** How the payload member is sent. */
  readonly payloadKind: 'none' | 'blob' | 'text' | 'streamingBlob' | 'eventStream' | 'document';
  /** Members in the body when there is no payload member. */
  readonly body: readonly Member[];
}

/** Sorts the members of an operation's input or output by their binding traits. */
export function readBindings(
  shape: StructureShape,
  operation: OperationModel,
  direction: 'input' | 'output',
): HttpBindings {
  const request = direction === 'input';
  const labelNames = [...(operation.http?.uri ?? '').matchAll(/\{([^}+]+)\+?\}/g)].map((match) => match[1]!);
  const query: { name: string; member: Member }[] = [];
  const headers: { name: string; member: Member }[] = [];
  const body: Member[] = [];
  let queryParams: Member | undefined;
  let prefixHeaders: HttpBindings['prefixHeaders'];
  let statusCode: Member | undefined;
  let payload: Member | undefined;
  for (const member of shape.members) {
    const { traits } = member;
    if (request && traits.httpLabel !== undefined) continue;
    if (traits.httpPayload !== undefined) payload = member;
    else if (typeof traits.httpHeader === 'string') headers.push({ name: traits.httpHeader.toLowerCase(), member });
    else if (typeof traits.httpPrefixHeaders === 'string') {
      prefixHeaders = { prefix: traits.httpPrefixHeaders.toLowerCase(), member };
    } else if (request && typeof traits.httpQuery === 'string') query.push({ name: traits.httpQuery, member });
    else if (request && traits.httpQueryParams !== undefined) queryParams = member;
    else if (!request && traits.httpResponseCode !== undefined) statusCode = member;
    else body.push(member);
  }
  return {
    shape,
    labels: request ? labelNames.map((name) => shape.byName.get(name)!) : [],
    query,
    literals: request ? [...new URLSearchParams(operation.http?.uri.split('?')[1] ?? '').keys()] : [],
    queryParams,
    headers,
    prefixHeaders,
    statusCode,
    payload,
    payloadKind: payloadKind(payload),
    body,
  };
}

function payloadKind(member: Member | undefined): HttpBindings['payloadKind'] {
  if (!member) return 'none';
  const streaming = member.traits.streaming !== undefined;
  if (member.shape.kind === 'blob') return streaming ? 'streamingBlob' : 'blob';
  if (member.shape.kind === 'string') return 'text';
  return member.shape.kind === 'union' && streaming ? 'eventStream' : 'document';
}
