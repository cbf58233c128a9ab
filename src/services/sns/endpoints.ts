import { parseArn } from '../../base/arn.ts';
import { invalidParameter, notFound, refused } from './errors.ts';
import { isFifo, parseEndpointArn, phoneNumber, type TopicName } from './names.ts';
import { type EndpointRecord, keys, type Protocol } from './records.ts';
import type { SnsState } from './state.ts';

const PROTOCOLS: readonly string[] = ['sqs', 'lambda', 'http', 'https', 'email', 'email-json', 'sms', 'application'];

/** The protocol of a request. Throws InvalidParameter, or NotImplemented for Firehose. */
export function readProtocol(text: string): Protocol {
  if (text === 'firehose') {
    throw refused('The protocol firehose', 'Subscribe a queue, a function or an HTTP endpoint instead.');
  }
  if (PROTOCOLS.includes(text)) return text as Protocol;
  throw invalidParameter(`Amazon SNS does not support this protocol string: ${text}`);
}

/** The endpoint of a request, as it is kept. Throws InvalidParameter or NotFound. */
export async function readEndpoint(
  state: SnsState,
  topic: TopicName,
  protocol: Protocol,
  given: string | undefined,
): Promise<string> {
  if (!given) throw notFound('Endpoint not specified in subscription: it');
  const endpoint = check(protocol, given);
  if (isFifo(topic.name)) {
    if (protocol !== 'sqs') {
      throw invalidParameter(`Invalid protocol type: ${protocol}: FIFO topics deliver to Amazon SQS queues only`);
    }
  } else if (protocol === 'sqs' && isFifo(endpoint)) {
    throw invalidParameter(
      'Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics',
    );
  }
  if (protocol === 'application') {
    const name = parseEndpointArn(endpoint)!;
    if (name.account !== topic.account || name.region !== topic.region) {
      throw invalidParameter('Application endpoint arn invalid');
    }
    if (!(await state.store.get<EndpointRecord>(keys.endpoint(name)))) throw notFound('Endpoint');
  }
  return endpoint;
}

function check(protocol: Protocol, endpoint: string): string {
  switch (protocol) {
    case 'sqs': {
      const arn = parseArn(endpoint);
      if (arn?.service !== 'sqs' || !/^[\w-]{1,80}(\.fifo)?$/.test(arn.resource)) {
        throw invalidParameter('SQS endpoint ARN');
      }
      return endpoint;
    }
    case 'lambda': {
      const arn = parseArn(endpoint);
      if (arn?.service !== 'lambda' || !/^function:[\w-]+(:[\w$-]+)?$/.test(arn.resource)) {
        throw invalidParameter('Lambda endpoint ARN');
      }
      return endpoint;
    }
    case 'http':
    case 'https':
      if (URL.parse(endpoint)?.protocol !== `${protocol}:`) {
        throw invalidParameter('Endpoint must match the specified protocol');
      }
      return endpoint;
    case 'email':
    case 'email-json':
      if (!/^[^\s@<>",]{1,64}@[^\s@<>",]{1,255}$/.test(endpoint)) throw invalidParameter('Email address');
      return endpoint;
    case 'sms': {
      const number = phoneNumber(endpoint);
      if (number === undefined) throw invalidParameter(`Invalid SMS endpoint: ${endpoint}`);
      return number;
    }
    case 'application':
      if (!parseEndpointArn(endpoint)) throw invalidParameter('Application endpoint arn invalid');
      return endpoint;
  }
}

/**
 * True when the endpoint's owner has to confirm. Queues and functions of the caller's own account, phones and devices are
 * taken at once. Source: API Reference, "Subscribe".
 */
export function needsConfirmation(protocol: Protocol, endpoint: string, caller: string): boolean {
  switch (protocol) {
    case 'sqs':
    case 'lambda':
      return parseArn(endpoint)!.account !== caller;
    case 'sms':
    case 'application':
      return false;
    default:
      return true;
  }
}
