import type {
  LambdaFunctionConfiguration,
  NotificationConfiguration,
  QueueConfiguration,
  TopicConfiguration,
} from '@aws-sdk/client-s3';
import { parseArn } from '../../base/arn.ts';
import { invalidArgument, malformedXml, notImplemented } from './errors.ts';
import type { NotificationRule } from './records.ts';
import type { S3State } from './state.ts';

export type TargetKind = 'lambda' | 'queue' | 'topic';

/** How a kind of target is named in ARNs, and in S3's errors. */
export const TARGETS = {
  lambda: { argument: 'CloudFunction', service: 'lambda', resource: /^function:[^:]+(:[^:]+)?$/ },
  queue: { argument: 'Queue', service: 'sqs', resource: /^[^:]+$/ },
  topic: { argument: 'Topic', service: 'sns', resource: /^[^:]+$/ },
} as const;

type RuleInput = Pick<
  LambdaFunctionConfiguration & QueueConfiguration & TopicConfiguration,
  'Id' | 'Events' | 'Filter'
>;

/** Events that something here sends. */
const sentEvents: readonly string[] = [
  's3:ObjectCreated:*',
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectRemoved:*',
  's3:ObjectRemoved:Delete',
  's3:ObjectRemoved:DeleteMarkerCreated',
  's3:ObjectTagging:*',
  's3:ObjectTagging:Put',
  's3:ObjectTagging:Delete',
  's3:LifecycleExpiration:*',
  's3:LifecycleExpiration:Delete',
  's3:LifecycleExpiration:DeleteMarkerCreated',
];

/** Events of S3 that nothing here sends. Source: S3 User Guide, "Supported event types for SQS, SNS, and Lambda". */
const otherEvents: readonly string[] = [
  's3:IntelligentTiering',
  's3:LifecycleTransition',
  's3:ObjectAcl:Put',
  's3:ObjectAnnotation:*',
  's3:ObjectAnnotation:Delete',
  's3:ObjectAnnotation:Put',
  's3:ObjectRestore:*',
  's3:ObjectRestore:Completed',
  's3:ObjectRestore:Delete',
  's3:ObjectRestore:Post',
  's3:ObjectRetention:Put',
  's3:ReducedRedundancyLostObject',
  's3:Replication:*',
  's3:Replication:OperationFailedReplication',
  's3:Replication:OperationMissedThreshold',
  's3:Replication:OperationNotTracked',
  's3:Replication:OperationReplicatedAfterThreshold',
];

/** The rules of a configuration, by the kind of their targets. Throws InvalidArgument, MalformedXML, NotImplemented. */
export function parseRules(
  s3: S3State,
  configuration: NotificationConfiguration,
): Readonly<Record<TargetKind, readonly NotificationRule[]>> {
  const { LambdaFunctionConfigurations, QueueConfigurations, TopicConfigurations } = configuration;
  return {
    lambda: (LambdaFunctionConfigurations ?? []).map((rule) =>
      parseRule(s3, 'lambda', rule.LambdaFunctionArn ?? '', rule),
    ),
    queue: (QueueConfigurations ?? []).map((rule) => parseRule(s3, 'queue', rule.QueueArn ?? '', rule)),
    topic: (TopicConfigurations ?? []).map((rule) => parseRule(s3, 'topic', rule.TopicArn ?? '', rule)),
  };
}

/** Reads a rule of one kind. Throws InvalidArgument, MalformedXML, NotImplemented. */
function parseRule(s3: S3State, kind: TargetKind, targetArn: string, rule: RuleInput): NotificationRule {
  const { argument, resource, service } = TARGETS[kind];
  const arn = parseArn(targetArn);
  if (arn?.service !== service || !resource.test(arn.resource)) {
    throw invalidArgument('The ARN could not be parsed', argument, targetArn);
  }
  if (kind !== 'lambda' && arn.resource.endsWith('.fifo')) {
    throw invalidArgument(`FIFO ${service.toUpperCase()} ${kind}s are not supported`, argument, targetArn);
  }
  const events: readonly string[] = rule.Events ?? [];
  if (events.length === 0) throw malformedXml('a notification configuration without an event');
  for (const event of events) {
    if (!sentEvents.includes(event) && !otherEvents.includes(event)) {
      throw invalidArgument('The event is not supported for notifications', 'Event', event);
    }
    if (!sentEvents.includes(event)) {
      throw notImplemented(`The event ${event}`, `nothing sends it here; sent are ${sentEvents.join(', ')}`);
    }
  }
  const given = rule.Filter?.Key?.FilterRules ?? [];
  const filterRules = given.map(({ Name: name = '', Value: value = '' }) => ({ name: String(name), value }));
  const named = (wanted: string): string => {
    const found = filterRules.filter((filter) => filter.name.toLowerCase() === wanted);
    if (found.length > 1) {
      throw invalidArgument(`Cannot specify more than one ${wanted} rule in a filter.`, 'FilterRule.Name', wanted);
    }
    return found[0]?.value ?? '';
  };
  for (const { name, value } of filterRules) {
    if (!['prefix', 'suffix'].includes(name.toLowerCase())) {
      throw invalidArgument('filter rule name must be either prefix or suffix', 'FilterRule.Name', name);
    }
    if (Buffer.byteLength(value) > 1024) {
      throw invalidArgument(
        'Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation',
        'FilterRule.Value',
        value,
      );
    }
  }
  return {
    id: rule.Id ?? s3.random.uuid(),
    targetArn,
    events,
    prefix: named('prefix'),
    suffix: named('suffix'),
    ...(rule.Filter === undefined ? {} : { filterRules }),
  };
}

/** Throws InvalidArgument when two rules have the same id. */
export function checkIds(rules: readonly NotificationRule[]): void {
  const ids = new Set<string>();
  for (const { id } of rules) {
    if (ids.has(id)) throw invalidArgument('Configuration Ids must be unique', 'Id', id);
    ids.add(id);
  }
}

/**
 * Throws when one object's event could match two rules.
 * Source: S3 User Guide, "Configuring event notifications using object key name filtering".
 */
export function checkOverlaps(rules: readonly NotificationRule[]): void {
  rules.forEach((rule, index) => {
    for (const other of rules.slice(index + 1)) {
      if (!shareEvent(rule, other)) continue;
      const prefixes = rule.prefix.startsWith(other.prefix) || other.prefix.startsWith(rule.prefix);
      const suffixes = rule.suffix.endsWith(other.suffix) || other.suffix.endsWith(rule.suffix);
      if (!prefixes || !suffixes) continue;
      const filtered = rule.prefix + rule.suffix + other.prefix + other.suffix !== '';
      throw invalidArgument(
        filtered
          ? 'Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.'
          : 'Configurations overlap. Configurations on the same bucket cannot share a common event type.',
        'Event',
        `${rule.events.join(', ')}, ${other.events.join(', ')}`,
      );
    }
  });
}

function shareEvent(a: NotificationRule, b: NotificationRule): boolean {
  const covers = (pattern: string, event: string): boolean =>
    pattern === event || (pattern.endsWith('*') && event.startsWith(pattern.slice(0, -1)));
  return a.events.some((event) => b.events.some((other) => covers(event, other) || covers(other, event)));
}
