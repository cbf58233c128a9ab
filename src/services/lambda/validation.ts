import type { CreateFunctionCommandInput, UpdateFunctionConfigurationCommandInput } from '@aws-sdk/client-lambda';
import { invalidParameter, unsupported, validation } from './errors.ts';

/** Runtimes that the engine runs, newest first. */
export const RUNTIMES: readonly string[] = [
  'nodejs24.x',
  'nodejs22.x',
  'nodejs20.x',
  'python3.14',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
  'python3.9',
  'provided.al2023',
  'provided.al2',
];

/** Environment variables that Lambda sets itself. Source: Lambda Developer Guide, "Defined runtime environment variables". */
const RESERVED_VARIABLES = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_DEFAULT_REGION',
  'AWS_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
]);

const ENVIRONMENT_LIMIT = 4096;

/**
 * Collects what the API's model forbids, to be told in one ValidationException as AWS does ("2 validation errors
 * detected: …").
 */
export class Constraints {
  readonly #failures: string[] = [];

  fail(member: string, value: unknown, constraint: string): void {
    this.#failures.push(`Value '${String(value)}' at '${member}' failed to satisfy constraint: ${constraint}`);
  }

  range(member: string, value: number | undefined, min: number, max: number): void {
    if (value === undefined) return;
    if (value < min) this.fail(member, value, `Member must have value greater than or equal to ${min}`);
    else if (value > max) this.fail(member, value, `Member must have value less than or equal to ${max}`);
  }

  /** Of a text or a list. */
  length(member: string, value: string | readonly string[] | undefined, min: number, max: number): void {
    if (value === undefined) return;
    const shown = typeof value === 'string' ? value : `[${value.slice(0, 10).join(', ')}, …]`;
    if (value.length < min) this.fail(member, shown, `Member must have length greater than or equal to ${min}`);
    else if (value.length > max) this.fail(member, shown, `Member must have length less than or equal to ${max}`);
  }

  pattern(member: string, value: string | undefined, pattern: RegExp, shown: string): void {
    if (value !== undefined && !pattern.test(value)) {
      this.fail(member, value, `Member must satisfy regular expression pattern: ${shown}`);
    }
  }

  oneOf(member: string, value: string | undefined, allowed: readonly string[]): void {
    if (value !== undefined && !allowed.includes(value)) {
      this.fail(member, value, `Member must satisfy enum value set: [${allowed.join(', ')}]`);
    }
  }

  /** Throws ValidationException when anything was wrong. */
  check(): void {
    const { length } = this.#failures;
    if (length === 0) return;
    throw validation(`${length} validation error${length > 1 ? 's' : ''} detected: ${this.#failures.join('; ')}`);
  }
}

const ROLE = /^arn:aws[a-zA-Z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;
const LOG_LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

type Configuration = Omit<UpdateFunctionConfigurationCommandInput, 'FunctionName'>;

/** Checks what CreateFunction and UpdateFunctionConfiguration share. Source: Lambda API Reference, "CreateFunction". */
export function checkConfiguration(input: Configuration): void {
  const constraints = new Constraints();
  constraints.length('description', input.Description, 0, 256);
  constraints.length('handler', input.Handler, 0, 128);
  constraints.pattern('handler', input.Handler, /^\S*$/, '[^\\s]+');
  constraints.range('memorySize', input.MemorySize, 128, 10_240);
  constraints.range('timeout', input.Timeout, 1, 900);
  constraints.range('ephemeralStorage.size', input.EphemeralStorage?.Size, 512, 10_240);
  constraints.pattern('role', input.Role, ROLE, 'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+');
  constraints.oneOf('tracingConfig.mode', input.TracingConfig?.Mode, ['Active', 'PassThrough']);
  constraints.oneOf('snapStart.applyOn', input.SnapStart?.ApplyOn, ['PublishedVersions', 'None']);
  const logging = input.LoggingConfig;
  constraints.oneOf('loggingConfig.logFormat', logging?.LogFormat, ['Text', 'JSON']);
  constraints.oneOf('loggingConfig.applicationLogLevel', logging?.ApplicationLogLevel, LOG_LEVELS);
  constraints.oneOf('loggingConfig.systemLogLevel', logging?.SystemLogLevel, ['DEBUG', 'INFO', 'WARN']);
  constraints.length('loggingConfig.logGroup', logging?.LogGroup, 1, 512);
  constraints.pattern('loggingConfig.logGroup', logging?.LogGroup, /^[.\-_/#A-Za-z0-9]+$/, '[\\.\\-_/#A-Za-z0-9]+');
  constraints.check();
  checkRuntime(input.Runtime);
  checkEnvironment(input.Environment?.Variables);
  refuseUnsupported(input);
}

function checkRuntime(runtime: string | undefined): void {
  if (runtime === undefined || RUNTIMES.includes(runtime)) return;
  throw invalidParameter(
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [${RUNTIMES.join(', ')}] or be a valid ARN`,
  );
}

function checkEnvironment(variables: Readonly<Record<string, string>> | undefined): void {
  if (variables === undefined) return;
  const constraints = new Constraints();
  for (const name of Object.keys(variables)) {
    if (RESERVED_VARIABLES.has(name)) continue;
    constraints.pattern('environment.variables', name, /^[a-zA-Z][a-zA-Z0-9_]+$/, '[a-zA-Z]([a-zA-Z0-9_])+');
  }
  const reserved = Object.keys(variables).filter((name) => RESERVED_VARIABLES.has(name));
  if (reserved.length > 0) {
    throw invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  constraints.check();
  const cut = Object.keys(variables).find((name) => variables[name]!.includes('\0'));
  if (cut !== undefined)
    throw invalidParameter(`The environment variable ${cut} has a zero byte, which no variable can.`);
  const measured = JSON.stringify(variables);
  if (Buffer.byteLength(measured) > ENVIRONMENT_LIMIT) {
    throw invalidParameter(
      `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: ${measured}`,
    );
  }
}

/** What would be stored without acting is refused by name; what turns a feature off is taken. */
function refuseUnsupported(input: Configuration): void {
  const vpc = input.VpcConfig;
  if ((vpc?.SubnetIds?.length ?? 0) > 0 || (vpc?.SecurityGroupIds?.length ?? 0) > 0) {
    throw unsupported('VpcConfig', 'functions run outside a VPC; leave SubnetIds and SecurityGroupIds empty');
  }
  if ((input.FileSystemConfigs?.length ?? 0) > 0) {
    throw unsupported('FileSystemConfigs', 'there is no shared file system; use S3 or /tmp');
  }
  if (input.SnapStart?.ApplyOn === 'PublishedVersions') {
    throw unsupported('SnapStart on PublishedVersions', 'use provisioned concurrency');
  }
  if (input.KMSKeyArn) throw unsupported('KMSKeyArn', 'there is no KMS; leave it out');
  if (input.CapacityProviderConfig) throw unsupported('CapacityProviderConfig', 'functions run on this machine');
  if (input.DurableConfig) throw unsupported('DurableConfig', 'durable executions are not there');
}

/** Checks what only CreateFunction takes. */
export function checkCreation(input: CreateFunctionCommandInput): void {
  const constraints = new Constraints();
  constraints.oneOf('packageType', input.PackageType, ['Zip', 'Image']);
  for (const architecture of input.Architectures ?? []) {
    constraints.oneOf('architectures', architecture, ['x86_64', 'arm64']);
  }
  constraints.oneOf('packageType', input.PackageType, ['Zip', 'Image']);
  constraints.check();
  if (input.Code?.SourceKMSKeyArn) throw unsupported('Code.SourceKMSKeyArn', 'there is no KMS; leave it out');
  if (input.CodeSigningConfigArn) throw unsupported('CodeSigningConfigArn', 'code signing is not there');
  if (input.TenancyConfig) throw unsupported('TenancyConfig', 'environments are not isolated per tenant');
  if (input.PublishTo) throw unsupported('PublishTo', 'use Publish');
}

/** Checks tags. Source: Lambda Developer Guide, "Using tags on Lambda functions", requirements. */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length > 50) {
    throw invalidParameter('Number of tags exceeds resource tag limit.');
  }
  for (const [name, value] of Object.entries(tags)) {
    if (name.length < 1 || name.length > 128 || /^aws:/i.test(name))
      throw invalidParameter(`The tag key is invalid: ${name}`);
    if (value.length > 256) throw invalidParameter(`The tag value of ${name} is longer than 256 characters.`);
  }
}
