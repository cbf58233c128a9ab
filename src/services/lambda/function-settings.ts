import type { DeadLetterConfig, UpdateFunctionConfigurationCommandInput } from '@aws-sdk/client-lambda';
import type { Transaction } from '../../store/index.ts';
import type { RequestContext } from '../service.ts';
import { CODE_LIMITS } from './code-package.ts';
import { operationOn, roleMaySend } from './destination-permission.ts';
import { invalidParameter, unsupported } from './errors.ts';
import { imageConfigOf } from './function-image.ts';
import { keys, type LayerReference, type LayerVersionRecord, type Scope, type VersionRecord } from './model.ts';
import { layerVersionArn, parseLayerVersionArn } from './names.ts';
import type { Room } from './room.ts';

/** The record with the members that the input names replaced; what it does not name stays. */
export function applyConfiguration(
  record: VersionRecord,
  input: UpdateFunctionConfigurationCommandInput,
  layers: readonly LayerReference[] | undefined,
  deadLetter: { readonly arn: string | undefined } | undefined,
): VersionRecord {
  const logging = input.LoggingConfig;
  const variables = input.Environment?.Variables;
  const changed: VersionRecord = {
    ...record,
    runtime: input.Runtime ?? record.runtime,
    handler: input.Handler ?? record.handler,
    ...imageConfigOf(input.ImageConfig),
    role: input.Role ?? record.role,
    description: input.Description ?? record.description,
    timeout: input.Timeout ?? record.timeout,
    memorySize: input.MemorySize ?? record.memorySize,
    environment: input.Environment === undefined ? record.environment : variables,
    layers: layers ?? record.layers,
    tracing: input.TracingConfig?.Mode ?? record.tracing,
    ephemeralStorage: input.EphemeralStorage?.Size ?? record.ephemeralStorage,
    deadLetterArn: deadLetter === undefined ? record.deadLetterArn : deadLetter.arn,
    logging:
      logging === undefined
        ? record.logging
        : {
            format: logging.LogFormat ?? record.logging.format,
            group: logging.LogGroup ?? record.logging.group,
            applicationLevel: logging.ApplicationLogLevel ?? record.logging.applicationLevel,
            systemLevel: logging.SystemLogLevel ?? record.logging.systemLevel,
          },
  };
  return changed;
}

/** Function and layers together are held to 250 MB. Source: Lambda Developer Guide, "Lambda quotas". */
export function checkPackagesSize(record: VersionRecord): void {
  const size = record.layers.reduce((sum, layer) => sum + layer.code.unpackedSize, record.code.unpackedSize);
  if (size > CODE_LIMITS.unpacked) {
    throw invalidParameter(
      `Function code combined with layers exceeds the maximum allowed size of ${CODE_LIMITS.unpacked} bytes. The actual size is ${size} bytes.`,
    );
  }
}

/** In enforce mode the role must exist and trust Lambda; otherwise a well-formed ARN is enough. */
export async function checkRole(room: Room, role: string, context: RequestContext): Promise<void> {
  if (!room.enforce || room.roles === undefined) return;
  if (role.split(':')[4] !== context.account) throw invalidParameter('Cross-account pass role is not allowed.');
  if (!(await room.roles.assumableByLambda(role))) {
    throw invalidParameter('The role defined for the function cannot be assumed by Lambda.');
  }
}

/**
 * The dead-letter queue's or topic's ARN, if one is set. FIFO ones take none, and the function's role must be able to
 * send there. Throws InvalidParameterValueException. Source: Lambda Developer Guide, "Adding a dead-letter queue".
 */
export async function deadLetterTarget(
  room: Room,
  config: DeadLetterConfig | undefined,
  { name, role, ...scope }: Scope & { readonly name: string; readonly role: string },
): Promise<string | undefined> {
  const arn = config?.TargetArn;
  if (arn === undefined || arn === '') return undefined;
  if (!/^arn:aws[a-zA-Z-]*:(sqs|sns):[a-z0-9-]+:\d{12}:.+$/.test(arn)) {
    throw invalidParameter(`The provided target ARN is not a queue or a topic: ${arn}`);
  }
  if (!room.delivery.supports(arn)) {
    throw unsupported(
      `DeadLetterConfig with ${arn}`,
      'use an on-failure destination that is a Lambda function or an S3 bucket',
    );
  }
  if (arn.endsWith('.fifo')) {
    throw invalidParameter(`A dead-letter target must be a standard queue or a standard topic: ${arn}`);
  }
  if (!(await roleMaySend(room, scope, name, arn, role))) {
    const service = arn.split(':')[2]!.toUpperCase();
    throw invalidParameter(
      `The provided execution role does not have permissions to call ${operationOn(arn)} on ${service}`,
    );
  }
  return arn;
}

const MAX_LAYERS = 5;

/** Finds the layer versions that a function names. Throws InvalidParameterValueException. */
export async function resolveLayers(
  room: Room,
  arns: readonly string[],
  context: RequestContext,
): Promise<readonly LayerReference[]> {
  if (arns.length > MAX_LAYERS) throw invalidParameter(`Cannot reference more than ${MAX_LAYERS} layers.`);
  const seen = new Map<string, string>();
  const layers: LayerReference[] = [];
  for (const arn of arns) {
    const parsed = parseLayerVersionArn(arn);
    if (!parsed) throw invalidParameter(`Layer version ARN is not valid: ${arn}`);
    const layer = arn.slice(0, arn.lastIndexOf(':'));
    const other = seen.get(layer);
    if (other === arn) throw invalidParameter(`Two different layers are not allowed to be the same: ${arn}`);
    if (other !== undefined) {
      throw invalidParameter(
        `Two different versions of the same layer are not allowed to be referenced in the same function. ${arn} and ${other} are versions of the same layer.`,
      );
    }
    seen.set(layer, arn);
    const found =
      parsed.region === context.region
        ? (await room.store.get<LayerVersionRecord>(keys.layerVersion(parsed, parsed.name, parsed.version)))?.value
        : undefined;
    if (!found) throw invalidParameter(`Layer version ${arn} does not exist.`);
    layers.push({ arn: layerVersionArn(parsed, parsed.name, parsed.version), code: found.code });
  }
  return layers;
}

/** Checks, in the transaction that will refer to them, that the layers' packages are still held by someone. */
export async function checkLayersHeld(transaction: Transaction, layers: readonly LayerReference[]): Promise<void> {
  for (const { arn, code } of layers) {
    const [use] = await transaction.range({ prefix: keys.codeUses(code.digest!), limit: 1 });
    if (!use) throw invalidParameter(`Layer version ${arn} does not exist.`);
  }
}
