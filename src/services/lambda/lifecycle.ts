import { ServiceError } from '../../base/errors.ts';
import type { Transaction } from '../../store/index.ts';
import { toSpec } from './configuration.ts';
import { keys, LATEST, type Scope, type VersionRecord } from './model.ts';
import { functionKey, type Room } from './room.ts';

/**
 * `Pending` → `Active` and `InProgress` → `Successful`. Source: Lambda Developer Guide, "Lambda function states". What is
 * prepared are the engine's compile caches; an operation that needs the function meanwhile waits instead of being refused.
 */
export function prepareInBackground(room: Room, scope: Scope, record: VersionRecord): void {
  const key = functionKey(scope, record.name);
  const before = room.preparing.get(key) ?? Promise.resolve();
  const done: Promise<void> = before
    .then(() => prepare(room, scope, record))
    .catch((error: unknown) => {
      room.logger.error('a function could not be prepared', { function: record.name, error });
    })
    .finally(() => {
      if (room.preparing.get(key) === done) room.preparing.delete(key);
    });
  room.preparing.set(key, done);
}

/** Resolves when the function has no preparation under way. */
export async function settled(room: Room, scope: Scope, name: string): Promise<void> {
  await room.preparing.get(functionKey(scope, name));
}

/** Goes on with what a previous run was preparing when it ended. */
export async function resumePreparations(room: Room): Promise<void> {
  for (const entry of await room.store.range<VersionRecord>({ prefix: keys.all })) {
    if (entry.key[3] !== 'version') continue;
    const record = entry.value;
    if (record.state !== 'Pending' && record.lastUpdateStatus !== 'InProgress') continue;
    prepareInBackground(room, { account: String(entry.key[1]), region: String(entry.key[2]) }, record);
  }
}

async function prepare(room: Room, scope: Scope, record: VersionRecord): Promise<void> {
  let failure: string | undefined;
  try {
    const [code, ...layers] = await Promise.all(
      [record.code, ...record.layers.map((layer) => layer.code)].map((part) => room.code.locate(part)),
    );
    await room.engine.prepare(toSpec(scope, record, code!, layers));
  } catch (error) {
    failure = error instanceof ServiceError ? error.message : 'The function could not be prepared.';
    room.logger.warn('a function could not be prepared', { function: record.name, error });
  }
  await room.store.transact(async (transaction) => finish(transaction, scope, record, failure));
  room.targets.forget(scope, record.name);
}

async function finish(
  transaction: Transaction,
  scope: Scope,
  record: VersionRecord,
  failure: string | undefined,
): Promise<void> {
  const versions = await transaction.range<VersionRecord>({ prefix: keys.versions(scope, record.name) });
  for (const { key, value } of versions) {
    // Versions published meanwhile from the same code and configuration become ready with it.
    if (value.specRevision !== record.specRevision) continue;
    if (value.state !== 'Pending' && value.lastUpdateStatus !== 'InProgress') continue;
    const first = value.state === 'Pending';
    transaction.put(key, {
      ...value,
      state: failure === undefined ? 'Active' : first ? 'Failed' : value.state,
      stateReason: first ? failure : undefined,
      stateReasonCode: first && failure !== undefined ? 'InternalError' : undefined,
      lastUpdateStatus: failure === undefined ? 'Successful' : 'Failed',
      lastUpdateReason: failure,
    } satisfies VersionRecord);
  }
}

/** The owner under which a version (or layer version) refers to a package. */
export const codeOwner = (scope: Scope, kind: 'version' | 'layer', name: string, version: string): string[] => [
  scope.account,
  scope.region,
  kind,
  name,
  version === LATEST ? LATEST : version,
];

/** Refers, for a version, to its own package and its layers'. */
export function referenceAll(room: Room, transaction: Transaction, scope: Scope, record: VersionRecord): void {
  const owner = codeOwner(scope, 'version', record.name, record.version);
  for (const code of packagesOf(record)) room.code.reference(transaction, code, owner);
}

export function dereferenceAll(room: Room, transaction: Transaction, scope: Scope, record: VersionRecord): void {
  const owner = codeOwner(scope, 'version', record.name, record.version);
  for (const code of packagesOf(record)) room.code.dereference(transaction, code, owner);
}

export const packagesOf = (record: VersionRecord) => [record.code, ...record.layers.map((layer) => layer.code)];
