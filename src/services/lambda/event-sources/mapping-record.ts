import type { EventSourceMappingConfiguration } from '@aws-sdk/client-lambda';
import type { Scope } from '../model.ts';
import { type FunctionName, functionArn } from '../names.ts';

export type MappingState = 'Creating' | 'Enabling' | 'Enabled' | 'Disabling' | 'Disabled' | 'Updating' | 'Deleting';

/** What the store holds of an event source mapping. */
export interface MappingRecord {
  readonly uuid: string;
  readonly sourceArn: string;
  readonly function: FunctionName;
  readonly fifo: boolean;
  readonly state: MappingState;
  /** What the caller asked for last: where a transition leads. */
  readonly enabled: boolean;
  readonly batchSize: number;
  readonly windowSeconds: number;
  readonly reportsFailures: boolean;
  /** Patterns of which one must match; none: everything does. */
  readonly filters: readonly string[];
  readonly maximumConcurrency?: number;
  readonly tags: Readonly<Record<string, string>>;
  /** Epoch ms. */
  readonly lastModified: number;
}

/** `arn:aws:lambda:region:account:event-source-mapping:uuid` */
export const mappingArn = ({ account, region }: Scope, uuid: string): string =>
  `arn:aws:lambda:${region}:${account}:event-source-mapping:${uuid}`;

/** Reads a mapping's ARN; `undefined` when it is not one. */
export function parseMappingArn(arn: string): (Scope & { readonly uuid: string }) | undefined {
  const match = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):event-source-mapping:([a-fA-F0-9-]+)$/.exec(arn);
  if (!match) return undefined;
  const [, region, account, uuid] = match;
  return { region: region!, account: account!, uuid: uuid! };
}

/** A mapping as the API shows it. Source: Lambda API Reference, "EventSourceMappingConfiguration". */
export function toMappingConfiguration(
  scope: Scope,
  record: MappingRecord,
  lastResult: string | undefined,
): EventSourceMappingConfiguration {
  const { filters, function: target, maximumConcurrency } = record;
  return {
    UUID: record.uuid,
    EventSourceMappingArn: mappingArn(scope, record.uuid),
    EventSourceArn: record.sourceArn,
    FunctionArn: functionArn(target, target.name, target.qualifier),
    BatchSize: record.batchSize,
    MaximumBatchingWindowInSeconds: record.windowSeconds,
    FunctionResponseTypes: record.reportsFailures ? ['ReportBatchItemFailures'] : [],
    ...(filters.length === 0 ? {} : { FilterCriteria: { Filters: filters.map((Pattern) => ({ Pattern })) } }),
    ...(maximumConcurrency === undefined ? {} : { ScalingConfig: { MaximumConcurrency: maximumConcurrency } }),
    LastModified: new Date(record.lastModified),
    State: record.state,
    StateTransitionReason: 'USER_INITIATED',
    ...(lastResult === undefined ? {} : { LastProcessingResult: lastResult }),
  };
}
