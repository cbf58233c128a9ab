import type * as ecr from '@aws-sdk/client-ecr';
import { ecrHost } from '../../../images/index.ts';
import type { RequestContext } from '../../service.ts';
import type { AuthorizationTokens } from '../authorization-tokens.ts';
import { constraint, refused } from '../errors.ts';
import { getImage } from '../images.ts';
import { registryOf, repositoryArn } from '../names.ts';
import { type ReplicationRecord, type ReplicationRule, replicationPrefix } from '../records.ts';
import { checkSetting, settingNamed, settingOf } from '../settings.ts';
import { changeRegistry, type EcrState, existing, findRepository, getRegistry } from '../state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: Amazon ECR User Guide, "Amazon ECR service quotas". */
const MAX_RULES = 10;
const MAX_DESTINATIONS = 25;
const MAX_FILTERS = 100;
/** Source: Amazon ECR API Reference, "GetAuthorizationToken", "BatchGetRepositoryScanningConfiguration". */
const MAX_REGISTRIES = 10;
const MAX_NAMES = 25;

export async function getAuthorizationToken(
  tokens: AuthorizationTokens,
  input: ecr.GetAuthorizationTokenCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetAuthorizationTokenCommandOutput>> {
  if (input.registryIds && input.registryIds.length > MAX_REGISTRIES) {
    throw constraint('registryIds', `must have between 1 and ${MAX_REGISTRIES} entries`);
  }
  const registries = input.registryIds?.length ? input.registryIds : [context.account];
  const { password, expiresAt } = await tokens.issue(context.principal);
  const authorizationToken = Buffer.from(`AWS:${password}`).toString('base64');
  return {
    authorizationData: registries.map((registryId) => ({
      authorizationToken,
      expiresAt,
      proxyEndpoint: `https://${ecrHost(registryOf({ registryId }, context))}`,
    })),
  };
}

export async function describeRegistry(
  { store }: EcrState,
  _input: ecr.DescribeRegistryCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribeRegistryCommandOutput>> {
  const id = registryOf({}, context);
  const { replication = [] } = await getRegistry(store, id);
  return { registryId: id.account, replicationConfiguration: { rules: replication.map(describeRule) } };
}

export async function putReplicationConfiguration(
  state: EcrState,
  input: ecr.PutReplicationConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutReplicationConfigurationCommandOutput>> {
  const id = registryOf({}, context);
  const { rules = [] } = input.replicationConfiguration!;
  if (rules.length > MAX_RULES) throw constraint('replicationConfiguration.rules', `must have at most ${MAX_RULES}`);
  const replication = rules.map((rule, i) => readRule(rule, `replicationConfiguration.rules[${i}]`));
  const destinations = replication.flatMap((rule) => rule.destinations);
  if (new Set(destinations.map(({ account, region }) => `${account} ${region}`)).size > MAX_DESTINATIONS) {
    throw constraint('replicationConfiguration.rules', `must have at most ${MAX_DESTINATIONS} destinations`);
  }
  if (destinations.some(({ account, region }) => account === id.account && region === id.region)) {
    throw constraint('replicationConfiguration.rules', 'must not have the registry itself as a destination');
  }
  await changeRegistry(state, id, (record) => ({ ...record, replication }));
  return { replicationConfiguration: { rules: replication.map(describeRule) } };
}

function readRule({ destinations = [], repositoryFilters = [] }: ecr.ReplicationRule, where: string): ReplicationRule {
  if (destinations.length === 0) throw constraint(`${where}.destinations`, 'must have at least one destination');
  if (repositoryFilters.length > MAX_FILTERS) {
    throw constraint(`${where}.repositoryFilters`, `must have at most ${MAX_FILTERS} filters`);
  }
  return {
    destinations: destinations.map(({ region = '', registryId = '' }) => {
      if (!/^\d{12}$/.test(registryId)) throw constraint(`${where}.registryId`, "must satisfy '[0-9]{12}'");
      if (!/^[a-z]{2}(-[a-z]+)+-\d+$/.test(region)) throw constraint(`${where}.region`, 'must be a region');
      return { account: registryId, region };
    }),
    prefixes: repositoryFilters.map(({ filter = '', filterType }) => {
      if (filterType !== 'PREFIX_MATCH') throw constraint(`${where}.filterType`, 'must be PREFIX_MATCH');
      if (!/^[a-z0-9._/-]{2,256}$/.test(filter)) throw constraint(`${where}.filter`, 'must be the beginning of a name');
      return filter;
    }),
  };
}

function describeRule({ destinations, prefixes }: ReplicationRule): ecr.ReplicationRule {
  return {
    destinations: destinations.map(({ account, region }) => ({ registryId: account, region })),
    ...(prefixes.length > 0
      ? { repositoryFilters: prefixes.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' as const })) }
      : {}),
  };
}

export async function describeImageReplicationStatus(
  state: EcrState,
  input: ecr.DescribeImageReplicationStatusCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribeImageReplicationStatusCommandOutput>> {
  const { id } = await existing(state.store, input, context);
  const { descriptor } = await getImage(state, id, input.imageId!);
  const prefix = replicationPrefix(id, descriptor.digest);
  const records = await state.store.range<ReplicationRecord>({ prefix });
  return {
    repositoryName: id.name,
    imageId: {
      imageDigest: descriptor.digest,
      ...(input.imageId!.imageTag ? { imageTag: input.imageId!.imageTag } : {}),
    },
    replicationStatuses: records.map(({ key, value }) => ({
      registryId: String(key.at(-2)),
      region: String(key.at(-1)),
      status: value.status,
      ...(value.failure === undefined ? {} : { failureCode: value.failure }),
    })),
  };
}

export async function getAccountSetting(
  { store }: EcrState,
  input: ecr.GetAccountSettingCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetAccountSettingCommandOutput>> {
  const name = input.name!;
  settingNamed(name);
  return { name, value: settingOf(await getRegistry(store, registryOf({}, context)), name) };
}

export async function putAccountSetting(
  state: EcrState,
  input: ecr.PutAccountSettingCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutAccountSettingCommandOutput>> {
  const [name, value] = [input.name!, input.value!];
  checkSetting(name, value);
  await changeRegistry(state, registryOf({}, context), (record) => ({
    ...record,
    settings: { ...record.settings, [name]: value },
  }));
  return { name, value };
}

/** Nothing is scanned: this is what AWS answers for such a registry. */
export async function getRegistryScanningConfiguration(
  _state: EcrState,
  _input: ecr.GetRegistryScanningConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetRegistryScanningConfigurationCommandOutput>> {
  return { registryId: registryOf({}, context).account, scanningConfiguration: { scanType: 'BASIC', rules: [] } };
}

export async function putRegistryScanningConfiguration(
  _state: EcrState,
  input: ecr.PutRegistryScanningConfigurationCommandInput,
): Promise<Output<ecr.PutRegistryScanningConfigurationCommandOutput>> {
  const { scanType = 'BASIC', rules = [] } = input;
  if (scanType !== 'BASIC' || rules.some(({ scanFrequency }) => scanFrequency !== 'MANUAL')) {
    throw refused('Scanning of a registry', 'Images are not scanned by ECR here.');
  }
  return { registryScanningConfiguration: { scanType: 'BASIC', rules: [] } };
}

export async function batchGetRepositoryScanningConfiguration(
  { store }: EcrState,
  input: ecr.BatchGetRepositoryScanningConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<ecr.BatchGetRepositoryScanningConfigurationCommandOutput>> {
  const registry = registryOf({}, context);
  const scanningConfigurations: ecr.RepositoryScanningConfiguration[] = [];
  const failures: ecr.RepositoryScanningConfigurationFailure[] = [];
  const names = input.repositoryNames!;
  if (names.length < 1 || names.length > MAX_NAMES) {
    throw constraint('repositoryNames', `must have between 1 and ${MAX_NAMES} entries`);
  }
  for (const name of names) {
    const id = { ...registry, name };
    if (await findRepository(store, id)) {
      scanningConfigurations.push({
        repositoryArn: repositoryArn(id),
        repositoryName: name,
        scanOnPush: false,
        scanFrequency: 'MANUAL',
        appliedScanFilters: [],
      });
    } else {
      failures.push({
        repositoryName: name,
        failureCode: 'REPOSITORY_NOT_FOUND',
        failureReason: `The repository with name '${name}' does not exist in the registry with id '${id.account}'`,
      });
    }
  }
  return { scanningConfigurations, failures };
}
