import type { CreateEventSourceMappingRequest, UpdateEventSourceMappingRequest } from '@aws-sdk/client-lambda';
import { type Arn, parseArn } from '../../../base/arn.ts';
import { invalidParameter, unsupported } from '../errors.ts';
import { Constraints } from '../validation.ts';
import type { MappingRecord } from './mapping-record.ts';

type Input = Partial<CreateEventSourceMappingRequest & UpdateEventSourceMappingRequest>;

/** The settings of a mapping that a request can change. */
export type MappingSettings = Pick<
  MappingRecord,
  'enabled' | 'batchSize' | 'windowSeconds' | 'reportsFailures' | 'filters' | 'maximumConcurrency'
>;

/** Source: Lambda API Reference, "CreateEventSourceMapping": the defaults for queues. */
export const DEFAULT_SETTINGS: MappingSettings = {
  enabled: true,
  batchSize: 10,
  windowSeconds: 0,
  reportsFailures: false,
  filters: [],
};

/** Source: Lambda Developer Guide, "Lambda event filtering": five unless the quota is raised. */
const MAX_FILTERS = 5;
/** The largest batch without a window, and of FIFO queues. */
const SMALL_BATCH = 10;

/** Sources that AWS has and that are not here, by their ARN's service. */
const OTHER_SOURCES: Readonly<Record<string, string>> = {
  kinesis: 'Kinesis streams',
  dynamodb: 'DynamoDB streams',
  mq: 'Amazon MQ brokers',
  kafka: 'Kafka clusters',
  rds: 'DocumentDB clusters',
};

/**
 * The queue that a mapping is to read. Throws NotImplemented for other kinds of sources, and
 * InvalidParameterValueException for what is none.
 */
export function parseSource(arn: string | undefined, region: string): Arn {
  const source = parseArn(arn ?? '');
  const service = source?.service ?? '';
  const other = Object.hasOwn(OTHER_SOURCES, service) ? OTHER_SOURCES[service] : undefined;
  if (other !== undefined) throw unsupported(`${other} as an event source (${arn})`, 'map an SQS queue');
  if (source?.service !== 'sqs') {
    throw invalidParameter('Unrecognized event source, must be kinesis, dynamodb stream or sqs.');
  }
  if (source.region !== region) {
    throw invalidParameter(`The event source ${arn} must be in the region of the function, ${region}.`);
  }
  return source;
}

/** What is only for other kinds of sources, or is not served: refused by name. */
export function refuseMembers(input: Input): void {
  const instead = 'map an SQS queue';
  if (input.SelfManagedEventSource || input.SelfManagedKafkaEventSourceConfig) {
    throw unsupported('SelfManagedEventSource', instead);
  }
  if (input.AmazonManagedKafkaEventSourceConfig) throw unsupported('AmazonManagedKafkaEventSourceConfig', instead);
  if (input.DocumentDBEventSourceConfig) throw unsupported('DocumentDBEventSourceConfig', instead);
  if (input.SourceAccessConfigurations?.length) throw unsupported('SourceAccessConfigurations', instead);
  if (input.Topics?.length) throw unsupported('Topics', instead);
  if (input.Queues?.length) throw unsupported('Queues', 'name the SQS queue as EventSourceArn');
  if (input.LoggingConfig) throw unsupported('LoggingConfig', 'it is for Kafka only');
  if (input.KMSKeyArn) throw unsupported('KMSKeyArn', 'filters are kept as they are');
  if (input.MetricsConfig?.Metrics?.length) throw unsupported('MetricsConfig', 'there are no metrics');
  if (input.ProvisionedPollerConfig && Object.values(input.ProvisionedPollerConfig).some((value) => value != null)) {
    throw unsupported('ProvisionedPollerConfig', 'pollers here start at once; use ScalingConfig to bound them');
  }
}

/** Source: the errors that AWS gives for members that only streams have. */
function refuseStreamMembers(input: Input): void {
  if (input.StartingPosition !== undefined || input.StartingPositionTimestamp !== undefined) {
    throw invalidParameter('StartingPosition is not valid for SQS event sources.');
  }
  const members = [
    'ParallelizationFactor',
    'BisectBatchOnFunctionError',
    'MaximumRecordAgeInSeconds',
    'MaximumRetryAttempts',
    'TumblingWindowInSeconds',
  ] as const;
  const { DestinationConfig: destinations } = input;
  const given = members.filter((member) => input[member] !== undefined && input[member] !== null);
  const [first] = destinations?.OnFailure?.Destination ? ['DestinationConfig', ...given] : given;
  if (first !== undefined) {
    throw invalidParameter(`Unsupported ${first} parameter for given event source mapping type.`);
  }
}

/** The settings with what the request names replaced; what filters say is checked apart. Throws ValidationException, InvalidParameterValueException. */
export function settingsOf(before: MappingSettings, input: Input, fifo: boolean): MappingSettings {
  const concurrency = input.ScalingConfig?.MaximumConcurrency;
  const constraints = new Constraints();
  constraints.range('batchSize', input.BatchSize, 1, 10_000);
  constraints.range('maximumBatchingWindowInSeconds', input.MaximumBatchingWindowInSeconds, 0, 300);
  constraints.range('scalingConfig.maximumConcurrency', concurrency, 2, 1000);
  for (const type of input.FunctionResponseTypes ?? []) {
    constraints.oneOf('functionResponseTypes', type, ['ReportBatchItemFailures']);
  }
  constraints.check();
  refuseStreamMembers(input);
  const { maximumConcurrency: _, ...kept } = before;
  // `ScalingConfig: {}` takes the bound away.
  const maximumConcurrency = input.ScalingConfig === undefined ? before.maximumConcurrency : concurrency;
  const settings: MappingSettings = {
    ...kept,
    enabled: input.Enabled ?? before.enabled,
    batchSize: input.BatchSize ?? before.batchSize,
    windowSeconds: input.MaximumBatchingWindowInSeconds ?? before.windowSeconds,
    reportsFailures:
      input.FunctionResponseTypes === undefined ? before.reportsFailures : input.FunctionResponseTypes.length > 0,
    filters: input.FilterCriteria === undefined ? before.filters : filtersOf(input.FilterCriteria),
    ...(maximumConcurrency === undefined ? {} : { maximumConcurrency }),
  };
  checkBatching(settings, fifo);
  return settings;
}

/** Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping". */
function checkBatching({ batchSize, windowSeconds }: MappingSettings, fifo: boolean): void {
  if (fifo && windowSeconds > 0) throw invalidParameter('Batching window is not supported for FIFO queues');
  if (fifo && batchSize > SMALL_BATCH) {
    throw invalidParameter(`The maximum batch size for FIFO queues is ${SMALL_BATCH}.`);
  }
  if (batchSize > SMALL_BATCH && windowSeconds === 0) {
    throw invalidParameter(
      `Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than ${SMALL_BATCH}`,
    );
  }
}

function filtersOf({ Filters = [] }: NonNullable<Input['FilterCriteria']>): readonly string[] {
  if (Filters.length > MAX_FILTERS) {
    throw invalidParameter(`An event source mapping can have ${MAX_FILTERS} filters; ${Filters.length} were given.`);
  }
  return Filters.map(({ Pattern = '' }) => {
    if (Pattern.length > 4096) throw invalidParameter('Invalid filter pattern definition.');
    return Pattern;
  });
}
