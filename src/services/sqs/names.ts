import { parseArn } from '../../base/arn.ts';
import type { RequestContext } from '../service.ts';
import { invalidAddress, invalidParameterValue } from './errors.ts';

/** Where a queue is. */
export interface QueueName {
  readonly account: string;
  readonly region: string;
  readonly name: string;
}

export const queueArn = ({ account, region, name }: QueueName): string => `arn:aws:sqs:${region}:${account}:${name}`;

export const isFifo = (name: string): boolean => name.endsWith('.fifo');

/** The queue that an ARN names; `undefined` when it is none. */
export function parseQueueArn(text: string): QueueName | undefined {
  const arn = parseArn(text);
  if (arn?.service !== 'sqs' || arn.resource.includes(':')) return undefined;
  return { account: arn.account, region: arn.region, name: arn.resource };
}

/** `http://127.0.0.1:4566/000000000000/orders`: the address by which this client reached us. */
export function queueUrl(
  { account, name }: QueueName,
  { host, secure }: Pick<RequestContext, 'host' | 'secure'>,
): string {
  return `${secure ? 'https' : 'http'}://${host}/${account}/${name}`;
}

/**
 * The queue that a URL names: whatever its host, its path is `/ACCOUNT/NAME`, or with the Region, as other emulators write
 * it, `/queue/REGION/ACCOUNT/NAME`; clients give a plain name, too. Throws InvalidAddress.
 */
export function parseQueueUrl(url: string, context: Pick<RequestContext, 'account' | 'region'>): QueueName {
  const path = /^https?:\/\/[^/]+(\/.*)$/.exec(url)?.[1] ?? url;
  const match = /^\/?(?:(?:queue\/([a-z\d-]{1,32})\/)?(\d{12})\/)?([\w-]{1,80}(?:\.fifo)?)$/.exec(path);
  if (!match) throw invalidAddress(url);
  return { account: match[2] ?? context.account, region: match[1] ?? context.region, name: match[3]! };
}

/** Source: SQS API Reference, "CreateQueue": up to 80 of letters, digits, `-` and `_`; a FIFO queue's ends with `.fifo`. */
export function checkQueueName(name: string): void {
  if (/^[\w-]{1,80}$/.test(name) || (/^[\w-]+\.fifo$/.test(name) && name.length <= 80)) return;
  throw invalidQueueName();
}

export const invalidQueueName = () =>
  invalidParameterValue('Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length');
