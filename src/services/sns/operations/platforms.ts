import type {
  CreatePlatformApplicationCommandInput,
  CreatePlatformApplicationCommandOutput,
  CreatePlatformEndpointCommandInput,
  CreatePlatformEndpointCommandOutput,
  DeleteEndpointCommandInput,
  DeletePlatformApplicationCommandInput,
  GetEndpointAttributesCommandInput,
  GetEndpointAttributesCommandOutput,
  GetPlatformApplicationAttributesCommandInput,
  GetPlatformApplicationAttributesCommandOutput,
  ListEndpointsByPlatformApplicationCommandInput,
  ListEndpointsByPlatformApplicationCommandOutput,
  ListPlatformApplicationsCommandInput,
  ListPlatformApplicationsCommandOutput,
  SetEndpointAttributesCommandInput,
  SetPlatformApplicationAttributesCommandInput,
} from '@aws-sdk/client-sns';
import type { Store, Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { invalidParameter, notAuthorized, notFound } from '../errors.ts';
import {
  type ApplicationName,
  applicationArn,
  type EndpointName,
  endpointArn,
  parseApplicationArn,
  parseEndpointArn,
} from '../names.ts';
import { page } from '../paging.ts';
import {
  checkApplicationAttributes,
  checkPlatform,
  describeApplication,
  readApplicationAttributes,
} from '../platform-attributes.ts';
import { emitPlatformEvent } from '../platform-events.ts';
import { type ApplicationRecord, type EndpointRecord, keys } from '../records.ts';
import type { SnsState } from '../state.ts';

type Out<T> = Omit<T, '$metadata'>;

/** Bytes. */
const USER_DATA = 2048;
const DELETED_AT_ONCE = 500;

export async function createPlatformApplication(
  state: SnsState,
  input: CreatePlatformApplicationCommandInput,
  { account, region }: RequestContext,
): Promise<Out<CreatePlatformApplicationCommandOutput>> {
  const attributes = input.Attributes ?? {};
  checkPlatform(input.Platform!);
  if (!/^[\w.-]{1,256}$/.test(input.Name!)) throw invalidParameter('Name Reason: Invalid name');
  readApplicationAttributes(attributes, input.Platform!);
  const name: ApplicationName = { account, region, platform: input.Platform!, name: input.Name! };
  await state.store.transact(async (transaction) => {
    const present = await transaction.get<ApplicationRecord>(keys.application(name));
    const created = present?.value.created ?? state.clock.now();
    const record: ApplicationRecord = { ...name, created, attributes: { ...present?.value.attributes, ...attributes } };
    transaction.put(keys.application(name), record);
  });
  return { PlatformApplicationArn: applicationArn(name) };
}

export async function getPlatformApplicationAttributes(
  state: SnsState,
  input: GetPlatformApplicationAttributesCommandInput,
  context: RequestContext,
): Promise<Out<GetPlatformApplicationAttributesCommandOutput>> {
  const application = await findApplication(state.store, readApplicationArn(input.PlatformApplicationArn, context));
  return { Attributes: describeApplication(application.attributes) };
}

export async function setPlatformApplicationAttributes(
  state: SnsState,
  input: SetPlatformApplicationAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  const attributes = input.Attributes ?? {};
  checkApplicationAttributes(attributes);
  const name = readApplicationArn(input.PlatformApplicationArn, context);
  await state.store.transact(async (transaction) => {
    const application = await findApplication(transaction, name);
    const next = { ...application, attributes: { ...application.attributes, ...attributes } };
    transaction.put(keys.application(name), next);
  });
  return {};
}

export async function listPlatformApplications(
  state: SnsState,
  input: ListPlatformApplicationsCommandInput,
  context: RequestContext,
): Promise<Out<ListPlatformApplicationsCommandOutput>> {
  const found = await page<ApplicationRecord>(state.store, keys.applications(context), input.NextToken);
  return {
    PlatformApplications: found.entries.map(({ value }) => ({
      PlatformApplicationArn: applicationArn(value),
      Attributes: describeApplication(value.attributes),
    })),
    ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
  };
}

/** Deletes it with its endpoints; what is not there is deleted already. */
export async function deletePlatformApplication(
  state: SnsState,
  input: DeletePlatformApplicationCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = readApplicationArn(input.PlatformApplicationArn, context);
  for (let more = true; more; ) {
    more = await state.store.transact(async (transaction) => {
      const endpoints = await transaction.range<EndpointRecord>({
        prefix: keys.endpoints(name),
        limit: DELETED_AT_ONCE,
      });
      for (const { key, value } of endpoints) {
        transaction.delete(key);
        transaction.delete(keys.device(name, value.token));
      }
      if (endpoints.length === DELETED_AT_ONCE) return true;
      transaction.delete(keys.application(name));
      return false;
    });
  }
  return {};
}

/** Source: API Reference, "CreatePlatformEndpoint": the same device with the same attributes is the same endpoint. */
export async function createPlatformEndpoint(
  state: SnsState,
  input: CreatePlatformEndpointCommandInput,
  context: RequestContext,
): Promise<Out<CreatePlatformEndpointCommandOutput>> {
  const application = readApplicationArn(input.PlatformApplicationArn, context);
  const given = readEndpointAttributes({
    ...input.Attributes,
    Token: input.Token!,
    ...(input.CustomUserData === undefined ? {} : { CustomUserData: input.CustomUserData }),
  });
  const id = state.random.uuid();
  const name = await state.store.transact(async (transaction) => {
    const record = await findApplication(transaction, application);
    const known = await transaction.get<string>(keys.device(application, given.token!));
    if (known) {
      const present: EndpointName = { ...application, id: known.value };
      const { enabled, userData } = (await transaction.get<EndpointRecord>(keys.endpoint(present)))!.value;
      if ((given.enabled ?? true) !== enabled || given.userData !== userData) {
        throw invalidParameter(
          `Token Reason: Endpoint ${endpointArn(present)} already exists with the same Token, but different attributes.`,
        );
      }
      return present;
    }
    const made: EndpointRecord = {
      ...application,
      id,
      created: state.clock.now(),
      token: given.token!,
      enabled: given.enabled ?? true,
      userData: given.userData,
    };
    transaction.put(keys.endpoint(made), made);
    transaction.put(keys.device(application, made.token), id);
    await emitPlatformEvent(state, transaction, record, 'EndpointCreated', made);
    return made;
  });
  return { EndpointArn: endpointArn(name) };
}

export async function getEndpointAttributes(
  state: SnsState,
  input: GetEndpointAttributesCommandInput,
  context: RequestContext,
): Promise<Out<GetEndpointAttributesCommandOutput>> {
  const entry = await state.store.get<EndpointRecord>(keys.endpoint(readEndpointArn(input.EndpointArn, context)));
  if (!entry) throw notFound('Endpoint');
  return { Attributes: describeEndpoint(entry.value) };
}

export async function setEndpointAttributes(
  state: SnsState,
  input: SetEndpointAttributesCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = readEndpointArn(input.EndpointArn, context);
  const given = readEndpointAttributes(input.Attributes ?? {});
  await state.store.transact(async (transaction) => {
    const entry = await transaction.get<EndpointRecord>(keys.endpoint(name));
    if (!entry) throw notFound('Endpoint');
    const before = entry.value;
    const after: EndpointRecord = {
      ...before,
      token: given.token ?? before.token,
      enabled: given.enabled ?? before.enabled,
      userData: given.userData ?? before.userData,
    };
    if (after.token !== before.token) {
      transaction.delete(keys.device(name, before.token));
      transaction.put(keys.device(name, after.token), name.id);
    }
    transaction.put(entry.key, after);
    await emitPlatformEvent(state, transaction, await findApplication(transaction, name), 'EndpointUpdated', name);
  });
  return {};
}

export async function deleteEndpoint(
  state: SnsState,
  input: DeleteEndpointCommandInput,
  context: RequestContext,
): Promise<object> {
  const name = readEndpointArn(input.EndpointArn, context);
  await state.store.transact(async (transaction) => {
    const entry = await transaction.get<EndpointRecord>(keys.endpoint(name));
    if (!entry) return;
    transaction.delete(entry.key);
    transaction.delete(keys.device(name, entry.value.token));
    await emitPlatformEvent(state, transaction, await findApplication(transaction, name), 'EndpointDeleted', name);
  });
  return {};
}

export async function listEndpointsByPlatformApplication(
  state: SnsState,
  input: ListEndpointsByPlatformApplicationCommandInput,
  context: RequestContext,
): Promise<Out<ListEndpointsByPlatformApplicationCommandOutput>> {
  const name = readApplicationArn(input.PlatformApplicationArn, context);
  await findApplication(state.store, name);
  const found = await page<EndpointRecord>(state.store, keys.endpoints(name), input.NextToken);
  return {
    Endpoints: found.entries.map(({ value }) => ({
      EndpointArn: endpointArn(value),
      Attributes: describeEndpoint(value),
    })),
    ...(found.nextToken === undefined ? {} : { NextToken: found.nextToken }),
  };
}

function readApplicationArn(arn: string | undefined, context: RequestContext): ApplicationName {
  const name = parseApplicationArn(arn ?? '');
  if (!name) throw invalidParameter('PlatformApplicationArn');
  checkOwn(name, context);
  return name;
}

function readEndpointArn(arn: string | undefined, context: RequestContext): EndpointName {
  const name = parseEndpointArn(arn ?? '');
  if (!name) throw invalidParameter('EndpointArn');
  checkOwn(name, context);
  return name;
}

/** Applications and devices have no policies by which other accounts could be let in. Throws AuthorizationError, InvalidParameter. */
function checkOwn({ account, region }: ApplicationName, context: RequestContext): void {
  if (account !== context.account) throw notAuthorized('Access Denied: it belongs to another account.');
  if (region !== context.region) throw invalidParameter('it is in another region');
}

async function findApplication(
  from: Pick<Store | Transaction, 'get'>,
  name: ApplicationName,
): Promise<ApplicationRecord> {
  const entry = await from.get<ApplicationRecord>(keys.application(name));
  if (!entry) throw notFound('PlatformApplication');
  return entry.value;
}

function readEndpointAttributes(given: Readonly<Record<string, string>>): {
  readonly token?: string;
  readonly enabled?: boolean;
  readonly userData?: string;
} {
  const { CustomUserData, Enabled, Token, ...rest } = given;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalidParameter(`Attributes Reason: Invalid attribute name: ${unknown}`);
  if (Token !== undefined && (Token === '' || Token.length > 4096)) throw invalidParameter('Token');
  if (Enabled !== undefined && !/^(true|false)$/i.test(Enabled)) {
    throw invalidParameter('Attributes Reason: Invalid value for attribute: Enabled: must be true or false');
  }
  if (CustomUserData !== undefined && Buffer.byteLength(CustomUserData) > USER_DATA) {
    throw invalidParameter(
      'Attributes Reason: Invalid value for attribute: CustomUserData: must be at most 2048 bytes',
    );
  }
  return {
    ...(Token === undefined ? {} : { token: Token }),
    ...(Enabled === undefined ? {} : { enabled: Enabled.toLowerCase() === 'true' }),
    ...(CustomUserData === undefined ? {} : { userData: CustomUserData }),
  };
}

function describeEndpoint({ enabled, token, userData }: EndpointRecord): Record<string, string> {
  return {
    Enabled: String(enabled),
    Token: token,
    ...(userData === undefined ? {} : { CustomUserData: userData }),
  };
}
