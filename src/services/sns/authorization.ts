import type { Tag } from '@aws-sdk/client-sns';
import type { AuthorizationRequest, RequestContext } from '../service.ts';
import { parseTopicArn, topicArn } from './names.ts';
import { keys, type TopicRecord } from './records.ts';
import type { SnsState } from './state.ts';
import { tagConditions } from './tags.ts';
import { policyOf } from './topic-attributes.ts';

interface Input {
  readonly Endpoint?: string;
  readonly Name?: string;
  readonly PhoneNumber?: string;
  readonly Protocol?: string;
  readonly ResourceArn?: string;
  readonly TagKeys?: readonly string[];
  readonly Tags?: readonly Tag[];
  readonly TargetArn?: string;
  readonly TopicArn?: string;
}

/** Service Authorization Reference, "Actions, resources, and condition keys for Amazon SNS". */
export async function authorization(
  state: SnsState,
  operation: string,
  input: Input,
  context: RequestContext,
): Promise<readonly AuthorizationRequest[]> {
  // Written as in SNS's messages; policies do not distinguish case.
  const action = `SNS:${operation === 'PublishBatch' ? 'Publish' : operation}`;
  if (operation === 'CreateTopic') {
    const resource = topicArn({ ...context, name: input.Name ?? '' });
    const conditions = tagConditions(input.Tags, undefined, {});
    const requests = [{ action, resource, conditions }];
    return input.Tags?.length ? [...requests, { action: 'SNS:TagResource', resource, conditions }] : requests;
  }
  const arn = input.TopicArn ?? input.TargetArn ?? input.ResourceArn;
  const name = arn === undefined ? undefined : parseTopicArn(arn);
  if (!name) {
    const device = operation === 'Publish' ? input.TargetArn : undefined;
    // What acts on no topic acts on all of the account's.
    return [{ action, resource: device ?? topicArn({ ...context, name: '*' }) }];
  }
  const topic = (await state.store.get<TopicRecord>(keys.topic(name)))?.value;
  return [
    {
      action,
      resource: topicArn(name),
      resourceAccount: name.account,
      resourcePolicy: topic && policyOf(topic),
      conditions: {
        ...tagConditions(input.Tags, input.TagKeys, topic?.tags ?? {}),
        ...(input.Protocol === undefined ? {} : { 'sns:Protocol': [input.Protocol] }),
        ...(input.Endpoint === undefined ? {} : { 'sns:Endpoint': [input.Endpoint] }),
      },
    },
  ];
}
