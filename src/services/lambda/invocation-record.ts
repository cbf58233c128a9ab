import type { FinalOutcome, PendingDelivery } from '../../events/index.ts';
import { recordPrefix } from './destination-permission.ts';
import { LATEST } from './model.ts';
import { functionArn, parseFunctionArn } from './names.ts';

/** Source: Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations", the invocation record. */
export interface InvocationRecord {
  readonly version: '1.0';
  readonly timestamp: string;
  readonly requestContext: object;
  readonly requestPayload: unknown;
  readonly responseContext?: object;
  readonly responsePayload?: unknown;
}

export function invocationRecord(delivery: PendingDelivery, outcome: FinalOutcome, now: number): InvocationRecord {
  const details = (outcome.details ?? {}) as { executedVersion?: string; functionError?: string };
  const name = parseFunctionArn(delivery.targetArn);
  const ran = details.executedVersion !== undefined;
  return {
    version: '1.0',
    timestamp: new Date(now).toISOString(),
    requestContext: {
      requestId: delivery.attributes?.requestId ?? delivery.id,
      functionArn: name ? functionArn(name, name.name, name.qualifier ?? LATEST) : delivery.targetArn,
      condition:
        refusalOf(outcome) ??
        (outcome.type === 'rejected' && outcome.reason === 'ZeroReservedConcurrency'
          ? outcome.reason
          : outcome.condition),
      approximateInvokeCount: delivery.attempts,
    },
    requestPayload: jsonOf(delivery.payload),
    ...(ran
      ? {
          responseContext: {
            statusCode: 200,
            executedVersion: details.executedVersion,
            ...(details.functionError === undefined ? {} : { functionError: details.functionError }),
          },
          responsePayload: outcome.response === undefined ? null : jsonOf(outcome.response),
        }
      : {}),
  };
}

/** The payload as a JSON value; text when it is none. */
export function jsonOf(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`. Source: the same page, the example for S3. */
export function objectKey(delivery: PendingDelivery, now: number, uuid: string): string {
  const time = new Date(now).toISOString().slice(0, 19);
  const name = parseFunctionArn(delivery.targetArn)?.name ?? 'unknown';
  return `${recordPrefix(name)}${time.slice(0, 10).replaceAll('-', '/')}/${time.replaceAll(':', '.')}-${uuid}`;
}

/** The record as an event of EventBridge. Source: the same page, the example for EventBridge. */
export function recordEvent(
  busArn: string,
  delivery: PendingDelivery,
  record: { readonly requestContext: object },
  { id, now, succeeded }: { readonly id: string; readonly now: number; readonly succeeded: boolean },
): object {
  const name = parseFunctionArn(delivery.targetArn);
  return {
    version: '0',
    id,
    'detail-type': `Lambda Function Invocation Result - ${succeeded ? 'Success' : 'Failure'}`,
    source: 'lambda',
    account: delivery.account,
    time: new Date(now).toISOString().replace(/\.\d{3}Z$/, 'Z'),
    region: delivery.region,
    resources: [busArn, name ? functionArn(name, name.name, name.qualifier ?? LATEST) : delivery.targetArn],
    detail: record,
  };
}

/** The error that kept the event from being run at all, when that has a name of its own. */
export function refusalOf(outcome: FinalOutcome): string | undefined {
  const refusal = outcome.details?.refusal;
  return typeof refusal === 'string' ? refusal : undefined;
}
