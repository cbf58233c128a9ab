import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { FunctionEngine } from '../../functions/index.ts';
import type { Entry, Store, Transaction } from '../../store/index.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Background } from './background.ts';
import type { CodePackages } from './code-package.ts';
import type { ConcurrencyTracker } from './concurrency-tracker.ts';
import { functionNotFound, invalidParameter } from './errors.ts';
import type { EventSources } from './event-sources/event-sources.ts';
import { type AliasRecord, type FunctionRecord, keys, LATEST, type Scope, type VersionRecord } from './model.ts';
import { type FunctionName, functionArn, isVersion } from './names.ts';
import type { EventQueues, RoleCheck } from './ports.ts';
import type { TargetCache } from './target-cache.ts';

/** Source: Lambda Developer Guide, "Lambda quotas". */
export interface LambdaLimits {
  /** Concurrent executions of an account in a region. */
  readonly concurrency: number;
  /** Concurrency that cannot be reserved away from the functions without a reservation. */
  readonly unreservedMinimum: number;
  /** Bytes. */
  readonly syncPayload: number;
  /** Bytes. */
  readonly asyncPayload: number;
}

/** What every operation of the service works with. */
export interface Room {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly engine: FunctionEngine;
  readonly delivery: Delivery;
  readonly code: CodePackages;
  readonly targets: TargetCache;
  readonly concurrency: ConcurrencyTracker;
  readonly roles: RoleCheck | undefined;
  readonly access: ServiceAccess;
  readonly limits: LambdaLimits;
  /** `x86_64` or `arm64`: what the machine runs. */
  readonly architecture: string;
  /** Policies decide (enforce mode); otherwise everyone may do everything. */
  readonly enforce: boolean;
  /** Where function URLs are served, e.g. `localhost:4566`. */
  readonly urlDomain: string;
  readonly downloads: CodeDownloads;
  /** Preparations under way, by function: an operation that changes the function waits for them. */
  readonly preparing: Map<string, Promise<void>>;
  readonly background: Background;
  readonly queues: EventQueues;
  readonly eventSources: EventSources;
}

/** Makes addresses from which a package can be fetched for a while. */
export interface CodeDownloads {
  location(digest: string, at: { readonly host: string; readonly secure: boolean }): Promise<string>;
}

export const functionKey = (scope: Scope, name: string): string => `${scope.account}/${scope.region}/${name}`;

type Reader = Pick<Transaction, 'get'>;

/** The function's record. Throws ResourceNotFoundException. */
export async function requireFunction(reader: Reader, target: FunctionName): Promise<FunctionRecord> {
  const entry = await reader.get<FunctionRecord>(keys.function(target, target.name));
  if (!entry) throw functionNotFound(functionArn(target, target.name));
  return entry.value;
}

export async function findAlias(reader: Reader, target: Scope, name: string, alias: string) {
  return (await reader.get<AliasRecord>(keys.alias(target, name, alias)))?.value;
}

export async function findVersion(
  reader: Reader,
  target: Scope,
  name: string,
  version: string,
): Promise<VersionRecord | undefined> {
  return (await reader.get<VersionRecord>(keys.version(target, name, version)))?.value;
}

/** The version that a name and qualifier (default `$LATEST`) stand for; an alias leads to its primary version. */
export async function requireVersion(reader: Reader, target: FunctionName): Promise<VersionRecord> {
  const qualifier = target.qualifier ?? LATEST;
  const plain = qualifier === LATEST || isVersion(qualifier);
  const version = plain ? qualifier : (await findAlias(reader, target, target.name, qualifier))?.version;
  const record = version === undefined ? undefined : await findVersion(reader, target, target.name, version);
  if (!record) throw functionNotFound(functionArn(target, target.name, target.qualifier));
  return record;
}

/** Checks that the qualifier names a version or an alias that is there. */
export async function requireQualifier(reader: Reader, target: FunctionName): Promise<void> {
  await requireFunction(reader, target);
  if (target.qualifier !== undefined) await requireVersion(reader, target);
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/**
 * A page of what is under `prefix`. The marker is the last key's own tail, so that paging goes on where it stopped even
 * when entries come and go. Throws InvalidParameterValueException for a marker that was never given out.
 */
export async function readPage<V>(
  store: Store,
  prefix: readonly (string | number)[],
  options: {
    readonly marker: string | undefined;
    readonly limit: number;
    readonly keep?: (entry: Entry<V>) => boolean;
  },
): Promise<Page<Entry<V>>> {
  let after = options.marker === undefined ? undefined : [...prefix, ...decodeMarker(options.marker)];
  const items: Entry<V>[] = [];
  for (;;) {
    const entries = await store.range<V>({ prefix, limit: options.limit + 1, ...(after ? { after } : {}) });
    for (const entry of entries) {
      if (options.keep && !options.keep(entry)) continue;
      if (items.length === options.limit) {
        const last = items[items.length - 1]!;
        return { items, next: encodeMarker(last.key.slice(prefix.length) as (string | number)[]) };
      }
      items.push(entry);
    }
    if (entries.length <= options.limit) return { items, next: undefined };
    after = entries[entries.length - 1]!.key as (string | number)[];
  }
}

function encodeMarker(tail: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(tail)).toString('base64url');
}

function decodeMarker(marker: string): (string | number)[] {
  try {
    const tail: unknown = JSON.parse(Buffer.from(marker, 'base64url').toString());
    if (Array.isArray(tail) && tail.every((part) => typeof part === 'string' || typeof part === 'number')) return tail;
  } catch {
    // Told below.
  }
  throw invalidParameter(`The pagination marker ${marker} is not one that this operation gave out.`);
}
