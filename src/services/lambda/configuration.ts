import type { FunctionConfiguration } from '@aws-sdk/client-lambda';
import type { CodeLocation, FunctionSpec } from '../../functions/index.ts';
import { LATEST, type LoggingRecord, lambdaTime, type Scope, type VersionRecord } from './model.ts';
import { functionArn } from './names.ts';

/**
 * A version as the API shows it. `$LATEST` has the unqualified ARN, except in lists of versions; a version published has
 * its own. Source: Lambda API Reference, "FunctionConfiguration".
 */
export function toConfiguration(
  scope: Scope,
  record: VersionRecord,
  options: { readonly qualified?: boolean } = {},
): FunctionConfiguration {
  const qualifier = record.version === LATEST && !options.qualified ? undefined : record.version;
  return {
    FunctionName: record.name,
    FunctionArn: functionArn(scope, record.name, qualifier),
    Runtime: (record.runtime || undefined) as FunctionConfiguration['Runtime'],
    Role: record.role,
    Handler: record.handler || undefined,
    CodeSize: record.code.size,
    Description: record.description,
    Timeout: record.timeout,
    MemorySize: record.memorySize,
    LastModified: lambdaTime(record.lastModified),
    CodeSha256: record.code.sha256,
    Version: record.version,
    ...(record.deadLetterArn === undefined ? {} : { DeadLetterConfig: { TargetArn: record.deadLetterArn } }),
    ...(record.environment === undefined ? {} : { Environment: { Variables: { ...record.environment } } }),
    TracingConfig: { Mode: record.tracing },
    RevisionId: record.revisionId,
    ...(record.layers.length === 0
      ? {}
      : { Layers: record.layers.map((layer) => ({ Arn: layer.arn, CodeSize: layer.code.size })) }),
    State: record.state,
    StateReason: record.stateReason,
    StateReasonCode: record.stateReasonCode as FunctionConfiguration['StateReasonCode'],
    LastUpdateStatus: record.lastUpdateStatus,
    LastUpdateStatusReason: record.lastUpdateReason,
    ...packageOf(record),
    Architectures: [record.architecture as 'x86_64' | 'arm64'],
    EphemeralStorage: { Size: record.ephemeralStorage },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    ...(record.code.image
      ? {}
      : { RuntimeVersionConfig: { RuntimeVersionArn: runtimeVersionArn(scope, record.runtime) } }),
    LoggingConfig: loggingConfig(record.logging),
  };
}

function packageOf({
  code,
  imageConfig,
}: VersionRecord): Pick<FunctionConfiguration, 'PackageType' | 'ImageConfigResponse'> {
  if (!code.image) return { PackageType: 'Zip' };
  if (!imageConfig) return { PackageType: 'Image' };
  const { command, entryPoint, workingDirectory } = imageConfig;
  return {
    PackageType: 'Image',
    ImageConfigResponse: {
      ImageConfig: {
        ...(entryPoint === undefined ? {} : { EntryPoint: [...entryPoint] }),
        ...(command === undefined ? {} : { Command: [...command] }),
        ...(workingDirectory === undefined ? {} : { WorkingDirectory: workingDirectory }),
      },
    },
  };
}

function loggingConfig(logging: LoggingRecord): FunctionConfiguration['LoggingConfig'] {
  if (logging.format === 'Text') return { LogFormat: 'Text', LogGroup: logging.group };
  return {
    LogFormat: 'JSON',
    LogGroup: logging.group,
    ApplicationLogLevel: (logging.applicationLevel ?? 'INFO') as 'INFO',
    SystemLogLevel: (logging.systemLevel ?? 'INFO') as 'INFO',
  };
}

/** The ARN of "the runtime that this machine has": stable, so that tools which compare it see no change. */
export function runtimeVersionArn(scope: Scope, runtime: string): string {
  const id = Buffer.from(runtime).toString('hex').padEnd(64, '0').slice(0, 64);
  return `arn:aws:lambda:${scope.region}::runtime:${id}`;
}

/** What the engine starts environments from. */
export function toSpec(
  scope: Scope,
  record: VersionRecord,
  code: CodeLocation,
  layers: readonly CodeLocation[],
): FunctionSpec {
  return {
    arn: functionArn(scope, record.name, record.version),
    name: record.name,
    version: record.version,
    account: scope.account,
    region: scope.region,
    runtime: record.runtime,
    handler: record.handler,
    code,
    ...(record.code.image ? { image: { id: record.code.image.id, ...record.imageConfig } } : {}),
    layers,
    environment: record.environment ?? {},
    memoryMb: record.memorySize,
    timeoutMs: record.timeout * 1000,
    ephemeralStorageMb: record.ephemeralStorage,
    roleArn: record.role,
    logging: {
      format: record.logging.format,
      group: record.logging.group,
      applicationLevel: record.logging.applicationLevel ?? 'INFO',
      systemLevel: record.logging.systemLevel ?? 'INFO',
    },
    tracing: record.tracing,
    initializationType: 'on-demand',
    revision: record.specRevision,
  };
}
