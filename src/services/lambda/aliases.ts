import type {
  AliasConfiguration,
  AliasRoutingConfiguration,
  CreateAliasCommandInput,
  DeleteAliasCommandInput,
  GetAliasCommandInput,
  ListAliasesCommandInput,
  UpdateAliasCommandInput,
} from '@aws-sdk/client-lambda';
import type { Transaction } from '../../store/index.ts';
import type { Operation, RequestContext } from '../service.ts';
import { conflict, functionNotFound, invalidParameter, notFound, preconditionFailed } from './errors.ts';
import { type AliasRecord, keys, LATEST, type Scope } from './model.ts';
import { functionArn, isVersion, parseFunctionName } from './names.ts';
import { moveProvisioned, releaseProvisioned } from './provisioned.ts';
import { findAlias, findVersion, type Room, readPage, requireFunction } from './room.ts';
import { Constraints } from './validation.ts';

/** Source: Lambda Developer Guide, "Create an alias", "Implement Lambda canary deployments using a weighted alias". */
export function aliasOperations(room: Room): Readonly<Record<string, Operation>> {
  return {
    CreateAlias: (input: CreateAliasCommandInput, context) => createAlias(room, input, context),
    GetAlias: async (input: GetAliasCommandInput, context) => {
      const target = parseFunctionName(input.FunctionName, undefined, context);
      const alias = await findAlias(room.store, target, target.name, input.Name!);
      if (!alias) throw aliasNotFound(target, target.name, input.Name!);
      return toAlias(target, target.name, alias);
    },
    ListAliases: (input: ListAliasesCommandInput, context) => listAliases(room, input, context),
    UpdateAlias: (input: UpdateAliasCommandInput, context) => updateAlias(room, input, context),
    DeleteAlias: (input: DeleteAliasCommandInput, context) => deleteAlias(room, input, context),
  };
}

function toAlias(scope: Scope, name: string, alias: AliasRecord): AliasConfiguration {
  return {
    AliasArn: functionArn(scope, name, alias.name),
    Name: alias.name,
    FunctionVersion: alias.version,
    Description: alias.description,
    ...(Object.keys(alias.weights).length === 0
      ? {}
      : { RoutingConfig: { AdditionalVersionWeights: { ...alias.weights } } }),
    RevisionId: alias.revisionId,
  };
}

const aliasNotFound = (scope: Scope, name: string, alias: string) =>
  notFound(`Cannot find alias arn: ${functionArn(scope, name, alias)}`);

function checkInput(input: { Name?: string; FunctionVersion?: string; Description?: string }): void {
  const constraints = new Constraints();
  constraints.length('name', input.Name, 1, 128);
  constraints.pattern('name', input.Name, /^(?!^[0-9]+$)[a-zA-Z0-9-_]+$/, '(?!^[0-9]+$)([a-zA-Z0-9-_]+)');
  constraints.length('functionVersion', input.FunctionVersion, 1, 1024);
  constraints.pattern('functionVersion', input.FunctionVersion, /^(\$LATEST|[0-9]+)$/, '(\\$LATEST|[0-9]+)');
  constraints.length('description', input.Description, 0, 256);
  constraints.check();
}

/** An alias splits between two published versions at most. */
async function checkRouting(
  transaction: Transaction,
  scope: Scope,
  name: string,
  version: string,
  routing: AliasRoutingConfiguration | undefined,
): Promise<Readonly<Record<string, number>>> {
  const weights = routing?.AdditionalVersionWeights ?? {};
  const entries = Object.entries(weights);
  if (entries.length === 0) return {};
  if (entries.length > 1) {
    throw invalidParameter('Number of items in AdditionalVersionWeights cannot be greater than 1');
  }
  const [other, weight] = entries[0]!;
  if (!(weight >= 0 && weight <= 1)) {
    throw invalidParameter(`The weight of version ${other} must be between 0 and 1: ${weight}`);
  }
  if (!isVersion(other))
    throw invalidParameter(`$LATEST is not supported for an alias pointing to more than 1 version`);
  if (other === version) {
    throw invalidParameter(
      `Invalid function version ${other}. Function version ${other} is already included in routing configuration.`,
    );
  }
  if (version === LATEST) {
    throw invalidParameter('$LATEST is not supported for an alias pointing to more than 1 version');
  }
  await requireTargetVersion(transaction, scope, name, other);
  return { [other]: weight };
}

async function requireTargetVersion(transaction: Transaction, scope: Scope, name: string, version: string) {
  if (!(await findVersion(transaction, scope, name, version))) {
    throw functionNotFound(functionArn(scope, name, version));
  }
}

async function createAlias(room: Room, input: CreateAliasCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const { name } = target;
  checkInput({ Name: input.Name!, FunctionVersion: input.FunctionVersion!, Description: input.Description });
  const alias = await room.store.transact(async (transaction) => {
    await requireFunction(transaction, target);
    if (await findAlias(transaction, target, name, input.Name!)) {
      throw conflict(`Alias already exists: ${functionArn(target, name, input.Name!)}`);
    }
    await requireTargetVersion(transaction, target, name, input.FunctionVersion!);
    const record: AliasRecord = {
      name: input.Name!,
      version: input.FunctionVersion!,
      description: input.Description ?? '',
      weights: await checkRouting(transaction, target, name, input.FunctionVersion!, input.RoutingConfig),
      revisionId: room.random.uuid(),
    };
    transaction.put(keys.alias(target, name, record.name), record);
    return record;
  });
  room.targets.forget(target, name);
  return toAlias(target, name, alias);
}

async function updateAlias(room: Room, input: UpdateAliasCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const { name } = target;
  checkInput({ FunctionVersion: input.FunctionVersion, Description: input.Description });
  const { alias, before } = await room.store.transact(async (transaction) => {
    await requireFunction(transaction, target);
    const before = await findAlias(transaction, target, name, input.Name!);
    if (!before) throw aliasNotFound(target, name, input.Name!);
    if (input.RevisionId !== undefined && input.RevisionId !== before.revisionId) throw preconditionFailed();
    const version = input.FunctionVersion ?? before.version;
    await requireTargetVersion(transaction, target, name, version);
    const routing = input.RoutingConfig ?? { AdditionalVersionWeights: { ...before.weights } };
    const record: AliasRecord = {
      ...before,
      version,
      description: input.Description ?? before.description,
      weights: await checkRouting(transaction, target, name, version, routing),
      revisionId: room.random.uuid(),
    };
    transaction.put(keys.alias(target, name, record.name), record);
    return { alias: record, before };
  });
  room.targets.forget(target, name);
  if (alias.version !== before.version) await moveProvisioned(room, target, name, alias.name, before.version);
  return toAlias(target, name, alias);
}

async function listAliases(room: Room, input: ListAliasesCommandInput, context: RequestContext) {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const constraints = new Constraints();
  constraints.range('maxItems', input.MaxItems, 1, 10_000);
  constraints.check();
  await requireFunction(room.store, target);
  const version = input.FunctionVersion;
  const page = await readPage<AliasRecord>(room.store, keys.aliases(target, target.name) as string[], {
    marker: input.Marker,
    limit: Math.min(input.MaxItems ?? 50, 50),
    keep: ({ value }) => version === undefined || value.version === version || value.weights[version] !== undefined,
  });
  return { Aliases: page.items.map(({ value }) => toAlias(target, target.name, value)), NextMarker: page.next };
}

async function deleteAlias(room: Room, input: DeleteAliasCommandInput, context: RequestContext): Promise<object> {
  const target = parseFunctionName(input.FunctionName, undefined, context);
  const { name } = target;
  const alias = input.Name!;
  const provisioned = await room.store.transact(async (transaction) => {
    await requireFunction(transaction, target);
    // Deleting an alias that is not there succeeds, as on AWS.
    const record = await findAlias(transaction, target, name, alias);
    if (!record) return undefined;
    const url = await transaction.get<{ id: string }>(keys.url(target, name, alias));
    if (url) transaction.delete(keys.urlIndex(url.value.id));
    const held = await transaction.get(keys.provisioned(target, name, alias));
    for (const key of [keys.url, keys.policy, keys.eventInvoke, keys.provisioned, keys.alias]) {
      transaction.delete(key(target, name, alias));
    }
    return held === undefined ? undefined : record.version;
  });
  room.targets.forget(target, name);
  if (provisioned !== undefined) await releaseProvisioned(room, { ...target, qualifier: provisioned });
  return {};
}
