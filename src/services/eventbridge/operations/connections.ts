import type {
  ConnectionAuthorizationType,
  CreateConnectionCommandInput,
  CreateConnectionCommandOutput,
  DeauthorizeConnectionCommandInput,
  DeauthorizeConnectionCommandOutput,
  DeleteConnectionCommandInput,
  DeleteConnectionCommandOutput,
  DescribeConnectionCommandInput,
  DescribeConnectionCommandOutput,
  ListConnectionsCommandInput,
  ListConnectionsCommandOutput,
  UpdateConnectionCommandInput,
  UpdateConnectionCommandOutput,
} from '@aws-sdk/client-eventbridge';
import { isLoopback } from '../../../events/index.ts';
import type { Transaction } from '../../../store/index.ts';
import type { RequestContext } from '../../service.ts';
import { checkCredentials, checkEndpoint, merge, withoutSecrets } from '../connections/credentials.ts';
import { type ConnectionRecord, type Credentials, connectionArn } from '../connections/records.ts';
import { Constraints } from '../constraints.ts';
import { alreadyExists, invalidParameter, limitExceeded, notFound, refused } from '../errors.ts';
import { listPage } from '../paging.ts';
import { authorizingKey, connectionKey, connectionPrefix, type Place } from '../records.ts';
import { type EventBridgeState, placeOf } from '../state.ts';

type Output<T> = Promise<Omit<T, '$metadata'>>;

/** Source: EventBridge User Guide, "Amazon EventBridge quotas". */
const MAXIMUM_CONNECTIONS = 3000;
const TYPES = ['BASIC', 'OAUTH_CLIENT_CREDENTIALS', 'API_KEY'];
const STATES = [
  'CREATING',
  'UPDATING',
  'DELETING',
  'AUTHORIZED',
  'DEAUTHORIZED',
  'AUTHORIZING',
  'DEAUTHORIZING',
  'ACTIVE',
  'FAILED_CONNECTIVITY',
];

export async function createConnection(
  state: EventBridgeState,
  input: CreateConnectionCommandInput,
  context: RequestContext,
): Output<CreateConnectionCommandOutput> {
  checkForm(input);
  const place = placeOf(context);
  const name = input.Name!;
  const now = state.clock.now();
  const identity = { name, id: state.random.uuid(), kmsKey: input.KmsKeyIdentifier || undefined };
  const blank = { ...identity, description: input.Description, generation: 0, createdAt: now, modifiedAt: now };
  const type = input.AuthorizationType!;
  const local = isLoopback(context.sourceIp);
  const record = await authorized(
    state,
    place,
    { ...blank, type, local, state: 'AUTHORIZED' },
    input.AuthParameters!,
    context,
  );
  await state.store.transact(async (transaction) => {
    if (await transaction.get(connectionKey(place, name))) throw alreadyExists('Connection', name);
    const connections = await transaction.range({ prefix: connectionPrefix(place), limit: MAXIMUM_CONNECTIONS });
    if (connections.length >= MAXIMUM_CONNECTIONS) throw limitExceeded();
    write(transaction, place, record);
  });
  if (record.state === 'AUTHORIZING') state.authorizations.begin(place, name);
  return {
    ConnectionArn: connectionArn(place, record),
    ConnectionState: record.state,
    CreationTime: new Date(now),
    LastModifiedTime: new Date(now),
  };
}

export async function updateConnection(
  state: EventBridgeState,
  input: UpdateConnectionCommandInput,
  context: RequestContext,
): Output<UpdateConnectionCommandOutput> {
  checkForm(input);
  const place = placeOf(context);
  const before = await requireConnection(state, place, input.Name!, 'update');
  const described = {
    ...before,
    description: input.Description ?? before.description,
    kmsKey: input.KmsKeyIdentifier === undefined ? before.kmsKey : input.KmsKeyIdentifier || undefined,
    modifiedAt: state.clock.now(),
  };
  const type = input.AuthorizationType ?? before.type;
  const changes = type !== before.type || input.AuthParameters !== undefined || described.kmsKey !== before.kmsKey;
  let record: ConnectionRecord = described;
  if (changes) {
    const opened = await state.authorizations.secrets.open(place, before, context.principal);
    const kept: Credentials = type === before.type && opened ? opened : {};
    const moved = input.AuthParameters?.OAuthParameters?.AuthorizationEndpoint !== undefined;
    const local = moved || !opened ? isLoopback(context.sourceIp) : before.local;
    const parameters = merge(kept, input.AuthParameters ?? {});
    record = await authorized(state, place, { ...described, type, local }, parameters, context);
  }
  await state.store.transact(async (transaction) => {
    const current = (await transaction.get<ConnectionRecord>(connectionKey(place, before.name)))?.value;
    if (current?.id !== before.id || current.generation !== before.generation) throw concurrent(before.name);
    write(transaction, place, record);
  });
  if (record.state === 'AUTHORIZING') state.authorizations.begin(place, record.name);
  return answer(place, record);
}

export async function describeConnection(
  state: EventBridgeState,
  input: DescribeConnectionCommandInput,
  context: RequestContext,
): Output<DescribeConnectionCommandOutput> {
  const place = placeOf(context);
  const record = await requireConnection(state, place, input.Name!, 'describe');
  return {
    ...summary(place, record),
    Description: record.description,
    KmsKeyIdentifier: record.kmsKey,
    AuthParameters: record.shown,
  };
}

export async function listConnections(
  state: EventBridgeState,
  input: ListConnectionsCommandInput,
  context: RequestContext,
): Output<ListConnectionsCommandOutput> {
  const { ConnectionState: wanted } = input;
  new Constraints().name('namePrefix', input.NamePrefix, 64).oneOf('connectionState', wanted, STATES).check();
  const place = placeOf(context);
  const { items, NextToken } = await listPage<ConnectionRecord>(
    state.store,
    connectionPrefix(place),
    input,
    (record) => wanted === undefined || record.state === wanted,
  );
  return { Connections: items.map((record) => summary(place, record)), NextToken };
}

/** Takes away what the connection authorizes with. Source: API Reference, "DeauthorizeConnection". */
export async function deauthorizeConnection(
  state: EventBridgeState,
  input: DeauthorizeConnectionCommandInput,
  context: RequestContext,
): Output<DeauthorizeConnectionCommandOutput> {
  const place = placeOf(context);
  const record = await state.store.transact(async (transaction) => {
    const {
      sealed: _,
      shown: __,
      ...rest
    } = await requireConnection({ store: transaction }, place, input.Name!, 'deauthorize');
    const changed: ConnectionRecord = {
      ...rest,
      state: 'DEAUTHORIZED',
      reason: undefined,
      generation: rest.generation + 1,
      modifiedAt: state.clock.now(),
    };
    write(transaction, place, changed);
    return changed;
  });
  return { ...answer(place, record), ConnectionState: 'DEAUTHORIZING' };
}

export async function deleteConnection(
  state: EventBridgeState,
  input: DeleteConnectionCommandInput,
  context: RequestContext,
): Output<DeleteConnectionCommandOutput> {
  const place = placeOf(context);
  const record = await state.store.transact(async (transaction) => {
    const found = await requireConnection({ store: transaction }, place, input.Name!, 'delete');
    transaction.delete(connectionKey(place, found.name));
    transaction.delete(authorizingKey(place, found.name));
    return found;
  });
  return { ...answer(place, record), ConnectionState: 'DELETING' };
}

function checkForm(input: CreateConnectionCommandInput | UpdateConnectionCommandInput): void {
  new Constraints()
    .name('name', input.Name, 64)
    .length('description', input.Description, 0, 512)
    .length('kmsKeyIdentifier', input.KmsKeyIdentifier, 0, 2048)
    .oneOf('authorizationType', input.AuthorizationType, TYPES)
    .check();
  if (input.InvocationConnectivityParameters) {
    throw refused('InvocationConnectivityParameters', 'Endpoints are reached over the network of this machine.');
  }
}

/** The connection with these parameters: an OAuth connection has to get a token first. */
async function authorized(
  state: EventBridgeState,
  place: Place,
  record: ConnectionRecord,
  parameters: Credentials,
  context: RequestContext,
): Promise<ConnectionRecord> {
  const type: ConnectionAuthorizationType = record.type;
  checkCredentials(type, parameters);
  const endpoint = parameters.OAuthParameters?.AuthorizationEndpoint;
  if (type === 'OAUTH_CLIENT_CREDENTIALS') {
    checkEndpoint('AuthParameters.OAuthParameters.AuthorizationEndpoint', endpoint ?? '', record.local);
  }
  const sealed = await state.authorizations.secrets.seal(place, record, parameters, context.principal);
  return {
    ...record,
    shown: withoutSecrets(parameters),
    sealed,
    generation: record.generation + 1,
    reason: undefined,
    // Source: API Reference: the two others are authorized at once; LastAuthorizedTime is there from the start.
    authorizedAt: record.modifiedAt,
    state: type === 'OAUTH_CLIENT_CREDENTIALS' ? 'AUTHORIZING' : 'AUTHORIZED',
  };
}

function write(transaction: Transaction, place: Place, record: ConnectionRecord): void {
  transaction.put(connectionKey(place, record.name), record);
  const authorizing = authorizingKey(place, record.name);
  if (record.state === 'AUTHORIZING') transaction.put(authorizing, true);
  else transaction.delete(authorizing);
}

/** Throws ResourceNotFoundException with the words of the operation. */
async function requireConnection(
  { store }: { readonly store: Pick<Transaction, 'get'> },
  place: Place,
  name: string,
  verb: string,
): Promise<ConnectionRecord> {
  const entry = await store.get<ConnectionRecord>(connectionKey(place, name));
  if (entry) return entry.value;
  throw notFound(`Failed to ${verb} the connection(s). Connection '${name}' does not exist.`);
}

function concurrent(name: string) {
  return invalidParameter('Name', `connection ${name} was changed at the same time; try again.`);
}

const date = (time: number | undefined) => (time === undefined ? undefined : new Date(time));

function answer(place: Place, record: ConnectionRecord) {
  return {
    ConnectionArn: connectionArn(place, record),
    ConnectionState: record.state,
    CreationTime: new Date(record.createdAt),
    LastModifiedTime: new Date(record.modifiedAt),
    LastAuthorizedTime: date(record.authorizedAt),
  };
}

function summary(place: Place, record: ConnectionRecord) {
  return { ...answer(place, record), Name: record.name, StateReason: record.reason, AuthorizationType: record.type };
}
