import type {
  FunctionConfiguration,
  ListVersionsByFunctionCommandInput,
  PublishVersionCommandInput,
} from '@aws-sdk/client-lambda';
import type { Transaction } from '../../store/index.ts';
import type { Operation, RequestContext } from '../service.ts';
import { toConfiguration } from './configuration.ts';
import { functionNotFound, invalidParameter, preconditionFailed, unsupported } from './errors.ts';
import { referenceAll, settled } from './lifecycle.ts';
import { type FunctionRecord, keys, LATEST, type Scope, type VersionRecord } from './model.ts';
import { functionArn, parseFunctionName } from './names.ts';
import { findVersion, type Room, readPage, requireFunction } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Manage Lambda function versions". */
export function versionOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    PublishVersion: (input: PublishVersionCommandInput, context) => publishVersion(room, input, context),
    ListVersionsByFunction: (input: ListVersionsByFunctionCommandInput, context) => listVersions(room, input, context),
  };
}

async function publishVersion(
  room: Room,
  input: PublishVersionCommandInput,
  context: RequestContext,
): Promise<FunctionConfiguration> {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.length('description', input.Description, 0, 256);
  constraints.check();
  if (input.PublishTo) throw unsupported('PublishTo', 'leave it out');
  await settled(room, target, target.name);
  const record = await room.store.transact(async (transaction) => {
    const owner = await requireFunction(transaction, target);
    const latest = await findVersion(transaction, target, target.name, LATEST);
    if (!latest) throw functionNotFound(functionArn(target, target.name));
    if (input.RevisionId !== undefined && input.RevisionId !== latest.revisionId) throw preconditionFailed();
    if (input.CodeSha256 !== undefined && input.CodeSha256 !== '' && input.CodeSha256 !== latest.code.sha256) {
      throw invalidParameter(
        `CodeSHA256 (${input.CodeSha256}) is different from current CodeSHA256 in $LATEST (${latest.code.sha256}). Please try again with the CodeSHA256 in $LATEST.`,
      );
    }
    return publish(room, transaction, target, owner, latest, input.Description);
  });
  room.targets.forget(target, target.name);
  return toConfiguration(target, record);
}

/**
 * Makes the next version from `$LATEST`, or returns the last one when neither code nor configuration has changed since.
 */
export async function publish(
  room: Room,
  transaction: Transaction,
  scope: Scope,
  owner: FunctionRecord,
  latest: VersionRecord,
  description: string | undefined,
): Promise<VersionRecord> {
  const last = await findVersion(transaction, scope, owner.name, String(owner.nextVersion - 1));
  if (last && last.specRevision === latest.specRevision) return last;
  const version: VersionRecord = {
    ...latest,
    version: String(owner.nextVersion),
    description: description ?? latest.description,
    lastModified: room.clock.now(),
    revisionId: room.random.uuid(),
  };
  transaction.put(keys.version(scope, owner.name, version.version), version);
  transaction.put(keys.function(scope, owner.name), { ...owner, nextVersion: owner.nextVersion + 1 });
  referenceAll(room, transaction, scope, version);
  return version;
}

async function listVersions(room: Room, input: ListVersionsByFunctionCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 10_000);
  constraints.check();
  await requireFunction(room.store, target);
  const limit = Math.min(input.MaxItems ?? 50, 50);
  // `$LATEST` comes first, though its key sorts last: the first page makes room for it.
  const first = input.Marker === undefined;
  const latest = first ? await findVersion(room.store, target, target.name, LATEST) : undefined;
  if (latest && limit === 1) {
    const more = await readPage<VersionRecord>(room.store, keys.versions(target, target.name) as string[], {
      marker: undefined,
      limit: 1,
      keep: (entry) => entry.value.version !== LATEST,
    });
    return {
      Versions: [toConfiguration(target, latest, { qualified: true })],
      NextMarker: more.items.length > 0 ? START : undefined,
    };
  }
  const page = await readPage<VersionRecord>(room.store, keys.versions(target, target.name) as string[], {
    marker: input.Marker === START ? undefined : input.Marker,
    limit: latest ? limit - 1 : limit,
    keep: (entry) => entry.value.version !== LATEST,
  });
  const records = [...(latest ? [latest] : []), ...page.items.map((entry) => entry.value)];
  return {
    Versions: records.map((record) => toConfiguration(target, record, { qualified: true })),
    NextMarker: page.next,
  };
}

/** The marker of a first page that had room for `$LATEST` only. */
const START = 'versions';
