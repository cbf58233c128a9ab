import { parseArn } from '../../base/arn.ts';
import { invalidParameter } from './errors.ts';

/** Where something is kept: names are unique there. */
export interface Place {
  readonly account: string;
  readonly region: string;
}

export interface TopicName extends Place {
  readonly name: string;
}

export interface SubscriptionName extends TopicName {
  readonly id: string;
}

export interface ApplicationName extends Place {
  readonly platform: string;
  readonly name: string;
}

export interface EndpointName extends ApplicationName {
  readonly id: string;
}

const arnOf = ({ account, region }: Place, resource: string): string => `arn:aws:sns:${region}:${account}:${resource}`;

export const topicArn = (topic: TopicName): string => arnOf(topic, topic.name);
export const subscriptionArn = (subscription: SubscriptionName): string =>
  arnOf(subscription, `${subscription.name}:${subscription.id}`);
export const applicationArn = (application: ApplicationName): string =>
  arnOf(application, `app/${application.platform}/${application.name}`);
export const endpointArn = (endpoint: EndpointName): string =>
  arnOf(endpoint, `endpoint/${endpoint.platform}/${endpoint.name}/${endpoint.id}`);

export const isFifo = (name: string): boolean => name.endsWith('.fifo');

/** The topic of an ARN; `undefined` when it names none. */
export function parseTopicArn(text: string): TopicName | undefined {
  const arn = parseArn(text);
  if (arn?.service !== 'sns' || !/^[\w-]+(\.fifo)?$/.test(arn.resource)) return undefined;
  return { account: arn.account, region: arn.region, name: arn.resource };
}

/** Throws InvalidParameter. `member`: how the request calls it. */
export function readTopicArn(text: string | undefined, member = 'TopicArn'): TopicName {
  if (!text) throw invalidParameter(`${member} Reason: no value for required parameter`);
  const elements = text.split(':').length;
  if (elements < 6) {
    throw invalidParameter(`${member} Reason: An ARN must have at least 6 elements, not ${elements}`);
  }
  const topic = parseTopicArn(text);
  if (!topic) throw invalidParameter(member);
  return topic;
}

/** Throws InvalidParameter. */
export function readSubscriptionArn(text: string): SubscriptionName {
  const elements = text.split(':').length;
  if (elements < 6) {
    throw invalidParameter(`SubscriptionArn Reason: An ARN must have at least 6 elements, not ${elements}`);
  }
  const arn = parseArn(text);
  const match = /^([\w-]+(?:\.fifo)?):([\da-f-]{36})$/.exec(arn?.resource ?? '');
  if (arn?.service !== 'sns' || !match) throw invalidParameter('SubscriptionId');
  return { account: arn.account, region: arn.region, name: match[1]!, id: match[2]! };
}

/** The platform application of an ARN; `undefined` when it names none. */
export function parseApplicationArn(text: string): ApplicationName | undefined {
  const arn = parseArn(text);
  const match = /^app\/([A-Z_]+)\/([\w.-]+)$/.exec(arn?.resource ?? '');
  if (arn?.service !== 'sns' || !match) return undefined;
  return { account: arn.account, region: arn.region, platform: match[1]!, name: match[2]! };
}

/** The endpoint of a platform application; `undefined` when the ARN names none. */
export function parseEndpointArn(text: string): EndpointName | undefined {
  const arn = parseArn(text);
  const match = /^endpoint\/([A-Z_]+)\/([\w.-]+)\/([\da-f-]{36})$/.exec(arn?.resource ?? '');
  if (arn?.service !== 'sns' || !match) return undefined;
  return { account: arn.account, region: arn.region, platform: match[1]!, name: match[2]!, id: match[3]! };
}

/** Letters, digits, `-` and `_`, 1 to 256; a FIFO topic's ends with `.fifo`. Source: API Reference, "CreateTopic". */
export function checkTopicName(name: string, fifo: boolean): void {
  if (fifo) {
    if (/^[\w-]+\.fifo$/.test(name) && name.length <= 256) return;
    throw invalidParameter(
      'Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.',
    );
  }
  if (!/^[\w-]{1,256}$/.test(name)) throw invalidParameter('Topic Name');
}

/** E.164, or with a `+` left out, as SNS takes them. Returns it with the `+`; `undefined` when it is no number. */
export function phoneNumber(text: string): string | undefined {
  return /^\+?[1-9]\d{5,14}$/.test(text) ? `+${text.replace(/^\+/, '')}` : undefined;
}
