import type {
  DeleteLayerVersionCommandInput,
  GetLayerVersionByArnCommandInput,
  GetLayerVersionCommandInput,
  GetLayerVersionResponse,
  ListLayersCommandInput,
  ListLayerVersionsCommandInput,
  PublishLayerVersionCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { invalidParameter, notFound, validation } from './errors.ts';
import { codeOwner } from './lifecycle.ts';
import { keys, type LayerRecord, type LayerVersionRecord, lambdaTime, type Scope } from './model.ts';
import { layerArn, layerVersionArn, parseLayerVersionArn } from './names.ts';
import { type Room, readPage } from './room.ts';
import { Constraints, RUNTIMES } from './validation.ts';

/** Source: Lambda Developer Guide, "Managing Lambda dependencies with layers"; API Reference, the page of each operation. */
export function layerOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PublishLayerVersion: (input: PublishLayerVersionCommandInput, context) => publish(room, input, context),
    GetLayerVersion: async (input: GetLayerVersionCommandInput, context) => {
      const name = layerName(input.LayerName, context);
      return describe(room, context, context, await requireLayerVersion(room, context, name, input.VersionNumber!));
    },
    GetLayerVersionByArn: async (input: GetLayerVersionByArnCommandInput, context) => {
      const parsed = parseLayerVersionArn(input.Arn ?? '');
      if (!parsed)
        throw validation(`1 validation error detected: Value '${input.Arn}' at 'arn' is not a layer version.`);
      const record =
        parsed.region === context.region
          ? await requireLayerVersion(room, parsed, parsed.name, parsed.version)
          : undefined;
      if (!record) throw notFound('The resource you requested does not exist.');
      return describe(room, context, parsed, record);
    },
    ListLayers: (input: ListLayersCommandInput, context) => listLayers(room, input, context),
    ListLayerVersions: (input: ListLayerVersionsCommandInput, context) => listLayerVersions(room, input, context),
    DeleteLayerVersion: (input: DeleteLayerVersionCommandInput, context) => remove(room, input, context),
  };
}

/** A layer's name, also out of its ARN. */
export function layerName(text: string | undefined, context: RequestContext): string {
  const given = text ?? '';
  const arn = /^arn:aws[a-zA-Z-]*:lambda:([a-z0-9-]+):(\d{12}):layer:([a-zA-Z0-9-_]{1,140})$/.exec(given);
  if (arn && arn[1] === context.region && arn[2] === context.account) return arn[3]!;
  if (/^[a-zA-Z0-9-_]{1,140}$/.test(given)) return given;
  throw validation(
    `1 validation error detected: Value '${given}' at 'layerName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+`,
  );
}

export async function requireLayerVersion(
  room: Room,
  scope: Scope,
  name: string,
  version: number,
): Promise<LayerVersionRecord> {
  if (version < 1) throw invalidParameter('Layer Version Cannot be less than 1.');
  const entry = await room.store.get<LayerVersionRecord>(keys.layerVersion(scope, name, version));
  if (!entry) throw notFound('The resource you requested does not exist.');
  return entry.value;
}

async function publish(room: Room, input: PublishLayerVersionCommandInput, context: RequestContext) {
  const name = layerName(input.LayerName, context);
  const constraints = new Constraints();
  constraints.length('description', input.Description, 0, 256);
  constraints.length('licenseInfo', input.LicenseInfo, 0, 512);
  for (const runtime of input.CompatibleRuntimes ?? []) constraints.length('compatibleRuntimes', runtime, 1, 64);
  for (const architecture of input.CompatibleArchitectures ?? []) {
    constraints.oneOf('compatibleArchitectures', architecture, ['x86_64', 'arm64']);
  }
  if ((input.CompatibleRuntimes?.length ?? 0) > 15) {
    constraints.fail(
      'compatibleRuntimes',
      input.CompatibleRuntimes,
      'Member must have length less than or equal to 15',
    );
  }
  constraints.check();
  if (input.Content?.S3Bucket === 'hot-reload') {
    throw invalidParameter('A layer is a copy: S3Bucket hot-reload is for the code of functions.');
  }
  const code = await room.code.take(input.Content ?? {}, context);
  try {
    const { release: _, ...codeRecord } = code;
    const record = await room.store.transact(async (transaction) => {
      const key = keys.layer(context, name);
      // Numbers are never used again, also after their versions are deleted.
      const version = (await transaction.get<LayerRecord>(key))?.value.nextVersion ?? 1;
      const next: LayerVersionRecord = {
        name,
        version,
        description: input.Description ?? '',
        code: codeRecord,
        ...(input.CompatibleArchitectures === undefined ? {} : { architectures: input.CompatibleArchitectures }),
        ...(input.CompatibleRuntimes === undefined ? {} : { runtimes: input.CompatibleRuntimes }),
        ...(input.LicenseInfo === undefined ? {} : { licenseInfo: input.LicenseInfo }),
        createdAt: room.clock.now(),
      };
      transaction.put(key, { nextVersion: version + 1 } satisfies LayerRecord);
      transaction.put(keys.layerVersion(context, name, version), next);
      room.code.reference(transaction, codeRecord, codeOwner(context, 'layer', name, String(version)));
      return next;
    });
    return await describe(room, context, context, record);
  } finally {
    code.release();
  }
}

async function describe(
  room: Room,
  context: RequestContext,
  scope: Scope,
  record: LayerVersionRecord,
): Promise<GetLayerVersionResponse> {
  return {
    Content: {
      Location: await room.downloads.location(record.code.digest!, context),
      CodeSha256: record.code.sha256,
      CodeSize: record.code.size,
    },
    LayerArn: layerArn(scope, record.name),
    ...summary(scope, record),
  };
}

function summary(scope: Scope, record: LayerVersionRecord) {
  return {
    LayerVersionArn: layerVersionArn(scope, record.name, record.version),
    Version: record.version,
    Description: record.description,
    CreatedDate: lambdaTime(record.createdAt),
    ...(record.architectures === undefined ? {} : { CompatibleArchitectures: [...record.architectures] as 'x86_64'[] }),
    ...(record.runtimes === undefined ? {} : { CompatibleRuntimes: [...record.runtimes] as 'nodejs22.x'[] }),
    ...(record.licenseInfo === undefined ? {} : { LicenseInfo: record.licenseInfo }),
  };
}

/** A layer that names no runtimes or architectures is not found by asking for one, as on AWS. */
function compatible(
  input: { readonly CompatibleRuntime?: string | undefined; readonly CompatibleArchitecture?: string | undefined },
  record: LayerVersionRecord,
): boolean {
  const { CompatibleRuntime: runtime, CompatibleArchitecture: architecture } = input;
  if (runtime !== undefined && !record.runtimes?.includes(runtime)) return false;
  return architecture === undefined || (record.architectures?.includes(architecture) ?? false);
}

function checkListing(input: {
  readonly MaxItems?: number | undefined;
  readonly CompatibleRuntime?: string | undefined;
}) {
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 50);
  constraints.oneOf('compatibleRuntime', input.CompatibleRuntime, RUNTIMES);
  constraints.check();
}

async function listLayers(room: Room, input: ListLayersCommandInput, context: RequestContext) {
  checkListing(input);
  const page = await readPage<LayerRecord>(room.store, keys.layers(context) as string[], {
    marker: input.Marker,
    limit: input.MaxItems ?? 50,
  });
  const layers = [];
  for (const { key } of page.items) {
    const name = String(key[key.length - 1]);
    const versions = await room.store.range<LayerVersionRecord>({
      prefix: keys.layerVersions(context, name),
      reverse: true,
    });
    const latest = versions.find(({ value }) => compatible(input, value));
    if (!latest) continue;
    layers.push({
      LayerName: name,
      LayerArn: layerArn(context, name),
      LatestMatchingVersion: summary(context, latest.value),
    });
  }
  return { Layers: layers, NextMarker: page.next };
}

async function listLayerVersions(room: Room, input: ListLayerVersionsCommandInput, context: RequestContext) {
  checkListing(input);
  const name = layerName(input.LayerName, context);
  const prefix = keys.layerVersions(context, name);
  const limit = input.MaxItems ?? 50;
  // Newest first; the marker is the last number shown.
  const before = input.Marker === undefined ? Number.POSITIVE_INFINITY : Number(input.Marker);
  if (Number.isNaN(before)) throw invalidParameter(`The pagination marker ${input.Marker} is not a valid one.`);
  const all = await room.store.range<LayerVersionRecord>({ prefix, reverse: true });
  const matching = all
    .map((entry) => entry.value)
    .filter((record) => record.version < before && compatible(input, record));
  const shown = matching.slice(0, limit);
  return {
    LayerVersions: shown.map((record) => summary(context, record)),
    NextMarker: matching.length > limit ? String(shown[shown.length - 1]!.version) : undefined,
  };
}

/** Functions that use the version keep it: they refer to its package themselves. */
async function remove(room: Room, input: DeleteLayerVersionCommandInput, context: RequestContext): Promise<object> {
  const name = layerName(input.LayerName, context);
  const version = input.VersionNumber!;
  if (version < 1) throw invalidParameter('Layer Version Cannot be less than 1.');
  const removed = await room.store.transact(async (transaction) => {
    const key = keys.layerVersion(context, name, version);
    const record = (await transaction.get<LayerVersionRecord>(key))?.value;
    if (!record) return undefined;
    transaction.delete(key);
    transaction.delete(keys.layerPolicy(context, name, version));
    room.code.dereference(transaction, record.code, codeOwner(context, 'layer', name, String(version)));
    return record;
  });
  if (removed) room.code.unused(removed.code);
  return {};
}
