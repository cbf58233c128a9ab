import type {
  Cors,
  CreateFunctionUrlConfigCommandInput,
  DeleteFunctionUrlConfigCommandInput,
  FunctionUrlConfig,
  GetFunctionUrlConfigCommandInput,
  ListFunctionUrlConfigsCommandInput,
  UpdateFunctionUrlConfigCommandInput,
} from '@aws-sdk/client-lambda';
import type { Operation, RequestContext } from '../service.ts';
import { conflict, notFound, validation } from './errors.ts';
import { keys, LATEST, type UrlIndexRecord, type UrlRecord } from './model.ts';
import { type FunctionName, functionArn, isVersion, parseFunctionName } from './names.ts';
import { type Room, readPage, requireFunction, requireQualifier } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Creating and managing Lambda function URLs". */
export function functionUrlOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    CreateFunctionUrlConfig: (input: CreateFunctionUrlConfigCommandInput, context) => create(room, input, context),
    GetFunctionUrlConfig: async (input: GetFunctionUrlConfigCommandInput, context) => {
      const target = urlTarget(input, context);
      await requireFunction(room.store, target);
      const record = await room.store.get<UrlRecord>(keys.url(target, target.name, target.qualifier ?? ''));
      if (!record) throw missing();
      return toConfig(room, target, record.value);
    },
    UpdateFunctionUrlConfig: (input: UpdateFunctionUrlConfigCommandInput, context) => update(room, input, context),
    DeleteFunctionUrlConfig: async (input: DeleteFunctionUrlConfigCommandInput, context) => {
      const target = urlTarget(input, context);
      await room.store.transact(async (transaction) => {
        await requireFunction(transaction, target);
        const key = keys.url(target, target.name, target.qualifier ?? '');
        const record = await transaction.get<UrlRecord>(key);
        if (!record) throw missing();
        transaction.delete(key);
        transaction.delete(keys.urlIndex(record.value.id));
      });
      return {};
    },
    ListFunctionUrlConfigs: (input: ListFunctionUrlConfigsCommandInput, context) => list(room, input, context),
  };
}

const missing = () => notFound('The resource you requested does not exist.');

/** URLs belong to the unpublished function or to an alias, never to a version. */
function urlTarget(
  input: { readonly FunctionName: string | undefined; readonly Qualifier?: string | undefined },
  context: RequestContext,
): FunctionName {
  const target = parseFunctionName(input.FunctionName, input.Qualifier, context);
  if (target.qualifier !== undefined && (target.qualifier === LATEST || isVersion(target.qualifier))) {
    throw validation(
      `1 validation error detected: Value '${target.qualifier}' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)`,
    );
  }
  return target;
}

function toConfig(room: Room, target: FunctionName, record: UrlRecord): FunctionUrlConfig {
  return {
    FunctionUrl: `http://${record.id}.lambda-url.${target.region}.${room.urlDomain}/`,
    FunctionArn: functionArn(target, target.name, target.qualifier),
    CreationTime: new Date(record.createdAt).toISOString(),
    LastModifiedTime: new Date(record.lastModified).toISOString(),
    ...(record.cors === undefined ? {} : { Cors: record.cors as Cors }),
    AuthType: record.authType,
    InvokeMode: record.invokeMode,
  };
}

function checkInput(input: { AuthType?: string; InvokeMode?: string; Cors?: Cors }): void {
  const constraints = new Constraints();
  constraints.oneOf('authType', input.AuthType, ['NONE', 'AWS_IAM']);
  constraints.oneOf('invokeMode', input.InvokeMode, ['BUFFERED', 'RESPONSE_STREAM']);
  const cors = input.Cors;
  constraints.range('cors.maxAge', cors?.MaxAge, 0, 86_400);
  for (const [member, values] of [
    ['cors.allowOrigins', cors?.AllowOrigins],
    ['cors.allowHeaders', cors?.AllowHeaders],
    ['cors.exposeHeaders', cors?.ExposeHeaders],
  ] as const) {
    if ((values?.length ?? 0) > 100) {
      constraints.fail(member, values, 'Member must have length less than or equal to 100');
    }
  }
  for (const method of cors?.AllowMethods ?? []) {
    constraints.oneOf('cors.allowMethods', method, ['GET', 'PUT', 'HEAD', 'POST', 'PATCH', 'DELETE', '*']);
  }
  constraints.check();
}

async function create(room: Room, input: CreateFunctionUrlConfigCommandInput, context: RequestContext) {
  const target = urlTarget(input, context);
  checkInput(input as { AuthType?: string });
  const id = room.random.from('abcdefghijklmnopqrstuvwxyz234567', 32);
  const now = room.clock.now();
  const record: UrlRecord = {
    id,
    authType: input.AuthType!,
    invokeMode: input.InvokeMode ?? 'BUFFERED',
    ...(input.Cors === undefined ? {} : { cors: input.Cors }),
    createdAt: now,
    lastModified: now,
  };
  await room.store.transact(async (transaction) => {
    await requireQualifier(transaction, target);
    const key = keys.url(target, target.name, target.qualifier ?? '');
    if (await transaction.get(key)) {
      throw conflict(
        `Failed to create function url config for [functionArn = ${functionArn(target, target.name, target.qualifier)}]. Error message:  FunctionUrlConfig exists for this Lambda function`,
      );
    }
    transaction.put(key, record);
    const { account, region, name } = target;
    transaction.put(keys.urlIndex(id), {
      account,
      region,
      name,
      qualifier: target.qualifier ?? '',
    } satisfies UrlIndexRecord);
  });
  return toConfig(room, target, record);
}

async function update(room: Room, input: UpdateFunctionUrlConfigCommandInput, context: RequestContext) {
  const target = urlTarget(input, context);
  checkInput(input as { AuthType?: string });
  const record = await room.store.transact(async (transaction) => {
    await requireFunction(transaction, target);
    const key = keys.url(target, target.name, target.qualifier ?? '');
    const before = (await transaction.get<UrlRecord>(key))?.value;
    if (!before) throw missing();
    const next: UrlRecord = {
      ...before,
      authType: input.AuthType ?? before.authType,
      invokeMode: input.InvokeMode ?? before.invokeMode,
      // An empty Cors takes the settings away.
      cors: input.Cors === undefined ? before.cors : Object.keys(input.Cors).length === 0 ? undefined : input.Cors,
      lastModified: room.clock.now(),
    };
    transaction.put(key, next);
    return next;
  });
  return toConfig(room, target, record);
}

async function list(room: Room, input: ListFunctionUrlConfigsCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 50);
  constraints.check();
  await requireFunction(room.store, target);
  const page = await readPage<UrlRecord>(room.store, keys.urls(target, target.name) as string[], {
    marker: input.Marker,
    limit: input.MaxItems ?? 50,
  });
  return {
    FunctionUrlConfigs: page.items.map(({ key, value }) =>
      toConfig(room, { ...target, qualifier: String(key[key.length - 1]) || undefined }, value),
    ),
    NextMarker: page.next,
  };
}
