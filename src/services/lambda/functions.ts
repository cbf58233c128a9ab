import type {
  CreateFunctionCommandInput,
  DeleteFunctionCommandInput,
  FunctionConfiguration,
  GetFunctionCommandInput,
  GetFunctionCommandOutput,
  GetFunctionConfigurationCommandInput,
  ListFunctionsCommandInput,
  UpdateFunctionCodeCommandInput,
  UpdateFunctionConfigurationCommandInput,
} from '@aws-sdk/client-lambda';
import type { Transaction } from '../../store/index.ts';
import type { Operation, RequestContext } from '../service.ts';
import { toConfiguration } from './configuration.ts';
import { conflict, functionNotFound, invalidParameter, preconditionFailed, unsupported } from './errors.ts';
import { checkPackage, checkSamePackage, checkSettingsOfPackage, imageConfigOf } from './function-image.ts';
import {
  applyConfiguration,
  checkLayersHeld,
  checkPackagesSize,
  checkRole,
  deadLetterTarget,
  resolveLayers,
} from './function-settings.ts';
import { dereferenceAll, packagesOf, prepareInBackground, referenceAll, settled } from './lifecycle.ts';
import { type FunctionRecord, keys, LATEST, type Scope, type VersionRecord } from './model.ts';
import { type FunctionName, functionArn, isVersion, parseFunctionName } from './names.ts';
import { findVersion, functionKey, type Room, readPage, requireFunction, requireVersion } from './room.ts';
import { Constraints, checkConfiguration, checkCreation, checkTags } from './validation.ts';
import { publish } from './versions.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Create, read, change and delete functions. Source: Lambda API Reference, the page of each operation. */
export function functionOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    CreateFunction: (input: CreateFunctionCommandInput, context) => createFunction(room, input, context),
    GetFunction: (input: GetFunctionCommandInput, context) => getFunction(room, input, context),
    GetFunctionConfiguration: (input: GetFunctionConfigurationCommandInput, context) =>
      getFunctionConfiguration(room, input, context),
    ListFunctions: (input: ListFunctionsCommandInput, context) => listFunctions(room, input, context),
    UpdateFunctionCode: (input: UpdateFunctionCodeCommandInput, context) => updateFunctionCode(room, input, context),
    UpdateFunctionConfiguration: (input: UpdateFunctionConfigurationCommandInput, context) =>
      updateFunctionConfiguration(room, input, context),
    DeleteFunction: (input: DeleteFunctionCommandInput, context) => deleteFunction(room, input, context),
  };
}

async function createFunction(
  room: Room,
  input: CreateFunctionCommandInput,
  context: RequestContext,
): Promise<FunctionConfiguration> {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const { name } = target;
  if (target.qualifier !== undefined) {
    throw invalidParameter('The function name of CreateFunction takes no version or alias.');
  }
  const constraints = new Constraints();
  constraints.length('functionName', name, 1, 64);
  constraints.check();
  checkCreation(input);
  checkConfiguration(input);
  checkTags(input.Tags ?? {});
  checkPackage(input);
  const architecture = chooseArchitecture(room, input.Architectures);
  await checkRole(room, input.Role!, context);
  if (await room.store.get(keys.function(target, name))) throw conflict(`Function already exist: ${name}`);
  const layers = await resolveLayers(room, input.Layers ?? [], context);
  const deadLetterArn = await deadLetterTarget(room, input.DeadLetterConfig, { ...target, role: input.Role! });
  const code = await room.code.take(input.Code ?? {}, context, ownerOf(target));
  try {
    const { release: _, ...codeRecord } = code;
    const now = room.clock.now();
    const record: VersionRecord = {
      name,
      version: LATEST,
      runtime: input.Runtime ?? '',
      handler: input.Handler ?? '',
      ...imageConfigOf(input.ImageConfig),
      role: input.Role!,
      description: input.Description ?? '',
      timeout: input.Timeout ?? 3,
      memorySize: input.MemorySize ?? 128,
      ...(input.Environment?.Variables === undefined ? {} : { environment: input.Environment.Variables }),
      layers,
      tracing: input.TracingConfig?.Mode ?? 'PassThrough',
      ephemeralStorage: input.EphemeralStorage?.Size ?? 512,
      architecture,
      logging: {
        format: input.LoggingConfig?.LogFormat ?? 'Text',
        group: input.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
        applicationLevel: input.LoggingConfig?.ApplicationLogLevel,
        systemLevel: input.LoggingConfig?.SystemLogLevel,
      },
      ...(deadLetterArn === undefined ? {} : { deadLetterArn }),
      code: codeRecord,
      state: 'Pending',
      stateReason: 'The function is being created.',
      stateReasonCode: 'Creating',
      lastUpdateStatus: 'Successful',
      lastModified: now,
      revisionId: room.random.uuid(),
      specRevision: room.random.uuid(),
    };
    checkPackagesSize(record);
    const created = await room.store.transact(async (transaction) => {
      if (await transaction.get(keys.function(target, name))) throw conflict(`Function already exist: ${name}`);
      const owner: FunctionRecord = {
        name,
        createdAt: now,
        nextVersion: 1,
        tags: input.Tags ?? {},
      };
      await checkLayersHeld(transaction, layers);
      transaction.put(keys.function(target, name), owner);
      transaction.put(keys.version(target, name, LATEST), record);
      referenceAll(room, transaction, target, record);
      return input.Publish ? publish(room, transaction, target, owner, record, undefined) : record;
    });
    room.targets.forget(target, name);
    prepareInBackground(room, target, record);
    return toConfiguration(target, created);
  } finally {
    code.release();
  }
}

async function getFunction(
  room: Room,
  input: GetFunctionCommandInput,
  context: RequestContext,
): Promise<Output<GetFunctionCommandOutput>> {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  const record = await requireVersion(room.store, target);
  const owner = await requireFunction(room.store, target);
  const { digest, hotReload, image } = record.code;
  return {
    Configuration: configurationAs(target, record, target.qualifier),
    Code: image
      ? { RepositoryType: 'ECR', ImageUri: image.uri, ResolvedImageUri: image.resolvedUri }
      : {
          RepositoryType: 'S3',
          Location: digest === undefined ? `file://${hotReload}` : await room.downloads.location(digest, context),
        },
    ...(Object.keys(owner.tags).length === 0 ? {} : { Tags: { ...owner.tags } }),
    ...(owner.reservedConcurrency === undefined
      ? {}
      : { Concurrency: { ReservedConcurrentExecutions: owner.reservedConcurrency } }),
  };
}

async function getFunctionConfiguration(
  room: Room,
  input: GetFunctionConfigurationCommandInput,
  context: RequestContext,
): Promise<FunctionConfiguration> {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  return configurationAs(target, await requireVersion(room.store, target), target.qualifier);
}

/** Asked for through a qualifier, the ARN shows that qualifier: also an alias's. */
function configurationAs(scope: Scope, record: VersionRecord, qualifier: string | undefined): FunctionConfiguration {
  return {
    ...toConfiguration(scope, record),
    FunctionArn: functionArn(scope, record.name, qualifier),
  };
}

async function listFunctions(room: Room, input: ListFunctionsCommandInput, context: RequestContext) {
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 10_000);
  constraints.oneOf('functionVersion', input.FunctionVersion, ['ALL']);
  constraints.check();
  // "Lambda returns up to 50 functions per call", whatever MaxItems says.
  const limit = Math.min(input.MaxItems ?? 50, 50);
  if (input.MasterRegion !== undefined && input.MasterRegion !== 'ALL') {
    throw unsupported('MasterRegion', 'there are no functions replicated for Lambda@Edge');
  }
  if (input.FunctionVersion === 'ALL') {
    const page = await readPage<VersionRecord>(room.store, keys.allVersions(context) as string[], {
      marker: input.Marker,
      limit,
    });
    return {
      Functions: page.items.map(({ value }) => toConfiguration(context, value, { qualified: true })),
      NextMarker: page.next,
    };
  }
  const page = await readPage<FunctionRecord>(room.store, keys.functions(context) as string[], {
    marker: input.Marker,
    limit,
  });
  const latest = await Promise.all(page.items.map(({ value }) => findVersion(room.store, context, value.name, LATEST)));
  return {
    Functions: latest.filter((record) => record !== undefined).map((record) => toConfiguration(context, record)),
    NextMarker: page.next,
  };
}

async function updateFunctionCode(room: Room, input: UpdateFunctionCodeCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  rejectQualifier(target.qualifier);
  if (input.SourceKMSKeyArn) throw unsupported('SourceKMSKeyArn', 'there is no KMS; leave it out');
  if (input.PublishTo) throw unsupported('PublishTo', 'use Publish');
  const architecture = input.Architectures === undefined ? undefined : chooseArchitecture(room, input.Architectures);
  await settled(room, target, target.name);
  await requireFunction(room.store, target);
  checkSamePackage(await requireVersion(room.store, { ...target, qualifier: LATEST }), input);
  const code = await room.code.take(input, context, ownerOf(target));
  try {
    const { release: _, ...codeRecord } = code;
    const change = (record: VersionRecord): VersionRecord => ({
      ...record,
      code: codeRecord,
      ...(architecture === undefined ? {} : { architecture }),
    });
    if (input.DryRun) {
      const record = await requireVersion(room.store, { ...target, qualifier: LATEST });
      checkRevision(record, input.RevisionId);
      checkPackagesSize(change(record));
      return toConfiguration(target, change(record));
    }
    return await updateLatest(room, target, target.name, input, change);
  } finally {
    code.release();
  }
}

async function updateFunctionConfiguration(
  room: Room,
  input: UpdateFunctionConfigurationCommandInput,
  context: RequestContext,
) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  rejectQualifier(target.qualifier);
  checkConfiguration(input);
  await settled(room, target, target.name);
  await requireFunction(room.store, target);
  checkSettingsOfPackage(await requireVersion(room.store, { ...target, qualifier: LATEST }), input);
  if (input.Role !== undefined) await checkRole(room, input.Role, context);
  const layers = input.Layers === undefined ? undefined : await resolveLayers(room, input.Layers, context);
  const role = input.Role ?? (await requireVersion(room.store, target)).role;
  const deadLetter =
    input.DeadLetterConfig === undefined
      ? undefined
      : { arn: await deadLetterTarget(room, input.DeadLetterConfig, { ...target, role }) };
  return updateLatest(room, target, target.name, input, (record) =>
    applyConfiguration(record, input, layers, deadLetter),
  );
}

/** Changes `$LATEST` in one transaction, moves the package references along, and lets the engine prepare the result. */
async function updateLatest(
  room: Room,
  scope: Scope,
  name: string,
  options: { readonly RevisionId?: string | undefined; readonly Publish?: boolean | undefined },
  change: (record: VersionRecord) => VersionRecord,
): Promise<FunctionConfiguration> {
  const outcome = await room.store.transact(async (transaction) => {
    const before = await findVersion(transaction, scope, name, LATEST);
    const owner = (await transaction.get<FunctionRecord>(keys.function(scope, name)))?.value;
    if (!before || !owner) throw functionNotFound(functionArn(scope, name));
    checkRevision(before, options.RevisionId);
    const record: VersionRecord = {
      ...change(before),
      lastModified: room.clock.now(),
      revisionId: room.random.uuid(),
      specRevision: room.random.uuid(),
      lastUpdateStatus: 'InProgress',
      lastUpdateReason: 'The function is being updated.',
    };
    checkPackagesSize(record);
    await checkLayersHeld(transaction, record.layers);
    transaction.put(keys.version(scope, name, LATEST), record);
    dereferenceAll(room, transaction, scope, before);
    referenceAll(room, transaction, scope, record);
    const shown = options.Publish ? await publish(room, transaction, scope, owner, record, undefined) : record;
    return { before, record, shown };
  });
  room.targets.forget(scope, name);
  for (const code of packagesOf(outcome.before)) room.code.unused(code);
  room.engine.retire(functionArn(scope, name, LATEST), outcome.record.specRevision);
  prepareInBackground(room, scope, outcome.record);
  return toConfiguration(scope, outcome.shown);
}

function ownerOf({ account, name, region }: FunctionName) {
  return { functionArn: functionArn({ account, region }, name), account, region };
}

function checkRevision(record: VersionRecord, revisionId: string | undefined): void {
  if (revisionId !== undefined && revisionId !== record.revisionId) throw preconditionFailed();
}

function rejectQualifier(qualifier: string | undefined): void {
  if (qualifier !== undefined && qualifier !== LATEST) {
    throw invalidParameter(
      'This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.',
    );
  }
}

/** The machine's own, unless told; another one is refused, since its native code would not run. */
function chooseArchitecture(room: Room, asked: readonly string[] | undefined): string {
  if (asked === undefined || asked.length === 0) return room.architecture;
  if (asked.length > 1) {
    throw invalidParameter('Function architecture must be exactly one of x86_64 and arm64.');
  }
  if (asked[0] !== room.architecture) {
    throw unsupported(`Architectures [${asked[0]}]`, `this machine is ${room.architecture}`);
  }
  return room.architecture;
}

async function deleteFunction(room: Room, input: DeleteFunctionCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  const { name, qualifier } = target;
  if (qualifier === LATEST) {
    throw invalidParameter('$LATEST version cannot be deleted without deleting the function.');
  }
  await settled(room, target, name);
  const removed = await room.store.transact(async (transaction) => {
    await requireFunction(transaction, target);
    return qualifier === undefined
      ? deleteAll(room, transaction, target, name)
      : deleteVersion(room, transaction, target, name, qualifier);
  });
  room.targets.forget(target, name);
  for (const record of removed) {
    room.engine.retire(functionArn(target, name, record.version));
    for (const code of packagesOf(record)) room.code.unused(code);
  }
  if (qualifier === undefined) room.preparing.delete(functionKey(target, name));
  return { StatusCode: 204 };
}

async function deleteAll(
  room: Room,
  transaction: Transaction,
  scope: Scope,
  name: string,
): Promise<readonly VersionRecord[]> {
  const versions = await transaction.range<VersionRecord>({ prefix: keys.versions(scope, name) });
  for (const { value } of versions) dereferenceAll(room, transaction, scope, value);
  for (const url of await transaction.range<{ id: string }>({ prefix: keys.urls(scope, name) })) {
    transaction.delete(keys.urlIndex(url.value.id));
  }
  const belongings = [keys.versions, keys.aliases, keys.policies, keys.eventInvokes, keys.provisionedOf, keys.urls];
  for (const prefix of belongings) {
    for (const { key } of await transaction.range({ prefix: prefix(scope, name) })) transaction.delete(key);
  }
  transaction.delete(keys.function(scope, name));
  return versions.map((entry) => entry.value);
}

async function deleteVersion(
  room: Room,
  transaction: Transaction,
  scope: Scope,
  name: string,
  version: string,
): Promise<readonly VersionRecord[]> {
  if (!isVersion(version)) {
    throw invalidParameter('Deletion of aliases is not currently supported.');
  }
  const record = await findVersion(transaction, scope, name, version);
  // Deleting a version that is not there succeeds, as on AWS.
  if (!record) return [];
  const aliases = await transaction.range<{ version: string; name: string; weights: Record<string, number> }>({
    prefix: keys.aliases(scope, name),
  });
  const users = aliases.filter(({ value }) => value.version === version || value.weights[version] !== undefined);
  if (users.length > 0) {
    throw conflict(
      `Version ${version} of function ${name} is used by aliases: ${users.map(({ value }) => value.name).join(', ')}`,
    );
  }
  dereferenceAll(room, transaction, scope, record);
  transaction.delete(keys.version(scope, name, version));
  transaction.delete(keys.policy(scope, name, version));
  transaction.delete(keys.eventInvoke(scope, name, version));
  transaction.delete(keys.provisioned(scope, name, version));
  return [record];
}
