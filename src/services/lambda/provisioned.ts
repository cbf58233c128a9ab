import type {
  DeleteProvisionedConcurrencyConfigCommandInput,
  GetProvisionedConcurrencyConfigCommandInput,
  ListProvisionedConcurrencyConfigsCommandInput,
  PutProvisionedConcurrencyConfigCommandInput,
} from '@aws-sdk/client-lambda';
import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import type { Operation, RequestContext } from '../service.ts';
import { conflict, invalidParameter } from './errors.ts';
import { type FunctionRecord, keys, LATEST, lambdaTime, type ProvisionedRecord, type Scope } from './model.ts';
import { type FunctionName, functionArn, isVersion, parseFunctionName } from './names.ts';
import { findAlias, type Room, readPage, requireFunction, requireVersion } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Configuring provisioned concurrency for a function". */
export function provisionedOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PutProvisionedConcurrencyConfig: (input: PutProvisionedConcurrencyConfigCommandInput, context) =>
      put(room, input, context),
    GetProvisionedConcurrencyConfig: async (input: GetProvisionedConcurrencyConfigCommandInput, context) => {
      const target = qualified(parseFunctionName(input.FunctionName, input.Qualifier, context));
      await requireVersion(room.store, target);
      const record = await room.store.get<ProvisionedRecord>(keys.provisioned(target, target.name, target.qualifier));
      if (!record) {
        throw new ServiceError(
          'ProvisionedConcurrencyConfigNotFoundException',
          'No Provisioned Concurrency Config found for this function',
          { status: 404, members: { Type: 'User' } },
        );
      }
      return toConfig(record.value);
    },
    DeleteProvisionedConcurrencyConfig: (input: DeleteProvisionedConcurrencyConfigCommandInput, context) =>
      remove(room, input, context),
    ListProvisionedConcurrencyConfigs: (input: ListProvisionedConcurrencyConfigsCommandInput, context) =>
      list(room, input, context),
  };
}

function qualified(target: FunctionName): FunctionName & { readonly qualifier: string } {
  if (target.qualifier === undefined) throw invalidParameter('The function name takes a version or an alias here.');
  if (target.qualifier === LATEST) {
    throw invalidParameter('Provisioned Concurrency Configs cannot be applied to unpublished function versions.');
  }
  return { ...target, qualifier: target.qualifier };
}

function toConfig(record: ProvisionedRecord) {
  return {
    RequestedProvisionedConcurrentExecutions: record.requested,
    AvailableProvisionedConcurrentExecutions: record.allocated,
    AllocatedProvisionedConcurrentExecutions: record.allocated,
    Status: record.status,
    StatusReason: record.statusReason,
    LastModified: lambdaTime(record.lastModified),
  };
}

async function put(room: Room, input: PutProvisionedConcurrencyConfigCommandInput, context: RequestContext) {
  const target = qualified(parseFunctionName(input.FunctionName, input.Qualifier, context));
  const wanted = input.ProvisionedConcurrentExecutions!;
  const constraints = new Constraints();
  constraints.range('provisionedConcurrentExecutions', wanted, 1, Number.MAX_SAFE_INTEGER);
  constraints.check();
  const record = await room.store.transact(async (transaction) => {
    const owner = await requireFunction(transaction, target);
    await requireVersion(transaction, target);
    await checkOverlap(transaction, target);
    await checkCapacity(room, transaction, target, owner, wanted);
    const next: ProvisionedRecord = {
      requested: wanted,
      allocated: 0,
      status: 'IN_PROGRESS',
      lastModified: room.clock.now(),
    };
    transaction.put(keys.provisioned(target, target.name, target.qualifier), next);
    return next;
  });
  room.targets.forget(target, target.name);
  allocate(room, target, record);
  return toConfig(record);
}

/** A version and an alias of it cannot both hold provisioned concurrency. */
async function checkOverlap(transaction: Transaction, target: FunctionName & { qualifier: string }): Promise<void> {
  const ownVersion = isVersion(target.qualifier)
    ? target.qualifier
    : (await findAlias(transaction, target, target.name, target.qualifier))?.version;
  for (const { key } of await transaction.range({ prefix: keys.provisionedOf(target, target.name) })) {
    const other = String(key[key.length - 1]);
    if (other === target.qualifier) continue;
    const otherVersion = isVersion(other) ? other : (await findAlias(transaction, target, target.name, other))?.version;
    if (otherVersion !== ownVersion) continue;
    throw conflict(
      isVersion(target.qualifier)
        ? "Version can't be used for Provisioned Concurrency configuration on an already Provisioned alias"
        : "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version",
    );
  }
}

async function checkCapacity(
  room: Room,
  transaction: Transaction,
  target: FunctionName & { qualifier: string },
  owner: FunctionRecord,
  wanted: number,
): Promise<void> {
  let own = 0;
  for (const { key, value } of await transaction.range<ProvisionedRecord>({
    prefix: keys.provisionedOf(target, target.name),
  })) {
    if (key[key.length - 1] !== target.qualifier) own += value.requested;
  }
  if (owner.reservedConcurrency !== undefined) {
    if (own + wanted > owner.reservedConcurrency) {
      throw invalidParameter(
        'Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function',
      );
    }
    return;
  }
  const functions = await transaction.range<FunctionRecord>({ prefix: keys.functions(target) });
  const reserved = new Map(functions.map(({ value }) => [value.name, value.reservedConcurrency]));
  let unreserved = room.limits.concurrency;
  for (const amount of reserved.values()) unreserved -= amount ?? 0;
  for (const { key, value } of await transaction.range<ProvisionedRecord>({ prefix: keys.provisionedAll(target) })) {
    const other = String(key[4]);
    const same = other === target.name && key[5] === target.qualifier;
    if (!same && reserved.get(other) === undefined) unreserved -= value.requested;
  }
  if (wanted > unreserved) {
    throw invalidParameter(
      `Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [${unreserved}].`,
    );
  }
  if (unreserved - wanted < room.limits.unreservedMinimum) {
    throw invalidParameter(
      `Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [${room.limits.unreservedMinimum}].`,
    );
  }
}

/** Lets the engine start the environments, and notes when they are ready. */
function allocate(room: Room, target: FunctionName & { qualifier: string }, record: ProvisionedRecord): void {
  const work = async (): Promise<void> => {
    const key = keys.provisioned(target, target.name, target.qualifier);
    let outcome: Partial<ProvisionedRecord> = { status: 'READY', allocated: record.requested };
    try {
      const { spec } = await room.targets.resolve(await versionOf(room, target));
      await room.engine.provision({ ...spec, initializationType: 'provisioned-concurrency' }, record.requested);
    } catch (error) {
      const reason = error instanceof ServiceError ? error.message : 'FUNCTION_ERROR_INIT_FAILURE';
      outcome = { status: 'FAILED', statusReason: reason };
    }
    await room.store.transact(async (transaction) => {
      const now = (await transaction.get<ProvisionedRecord>(key))?.value;
      if (!now || now.requested !== record.requested || now.status !== 'IN_PROGRESS') return;
      transaction.put(key, { ...now, ...outcome } satisfies ProvisionedRecord);
    });
    room.targets.forget(target, target.name);
  };
  room.background.run('provisioned concurrency could not be allocated', work());
}

/** The version itself: an alias with weights must not draw here. */
async function versionOf(room: Room, target: FunctionName): Promise<FunctionName> {
  return { ...target, qualifier: (await requireVersion(room.store, target)).version };
}

async function remove(
  room: Room,
  input: DeleteProvisionedConcurrencyConfigCommandInput,
  context: RequestContext,
): Promise<object> {
  const target = qualified(parseFunctionName(input.FunctionName, input.Qualifier, context));
  await room.store.transact(async (transaction) => {
    await requireVersion(transaction, target);
    transaction.delete(keys.provisioned(target, target.name, target.qualifier));
  });
  room.targets.forget(target, target.name);
  await releaseProvisioned(room, await versionOf(room, target));
  return {};
}

/** Lets go of a version's kept environments. */
export async function releaseProvisioned(room: Room, target: FunctionName): Promise<void> {
  const { spec } = await room.targets.resolve(target);
  await room.engine.provision({ ...spec, initializationType: 'provisioned-concurrency' }, 0);
}

/** After a start, environments of earlier runs are gone: they are allocated again. */
export async function resumeProvisioned(room: Room): Promise<void> {
  for (const entry of await room.store.range<ProvisionedRecord>({ prefix: keys.all })) {
    const [, account, region, kind, name, qualifier] = entry.key.map(String) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    if (kind !== 'provisioned') continue;
    const scope: Scope = { account, region };
    const record: ProvisionedRecord = { ...entry.value, status: 'IN_PROGRESS', allocated: 0 };
    await room.store.put(entry.key, record);
    allocate(room, { ...scope, name, qualifier }, record);
  }
}

/** When an alias moves to another version, its provisioned environments move along. */
export async function moveProvisioned(
  room: Room,
  scope: Scope,
  name: string,
  alias: string,
  from: string,
): Promise<void> {
  const key = keys.provisioned(scope, name, alias);
  const record = await room.store.transact(async (transaction) => {
    const now = (await transaction.get<ProvisionedRecord>(key))?.value;
    if (!now) return undefined;
    const next: ProvisionedRecord = { ...now, status: 'IN_PROGRESS', allocated: 0 };
    transaction.put(key, next);
    return next;
  });
  if (!record) return;
  room.targets.forget(scope, name);
  allocate(room, { ...scope, name, qualifier: alias }, record);
  await releaseProvisioned(room, { ...scope, name, qualifier: from });
}

async function list(room: Room, input: ListProvisionedConcurrencyConfigsCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 50);
  constraints.check();
  await requireFunction(room.store, target);
  const page = await readPage<ProvisionedRecord>(room.store, keys.provisionedOf(target, target.name) as string[], {
    marker: input.Marker,
    limit: input.MaxItems ?? 50,
  });
  return {
    ProvisionedConcurrencyConfigs: page.items.map(({ key, value }) => ({
      FunctionArn: functionArn(target, target.name, String(key[key.length - 1])),
      ...toConfig(value),
    })),
    NextMarker: page.next,
  };
}
