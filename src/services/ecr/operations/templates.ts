import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, refused } from '../errors.ts';
import { readLifecyclePolicy } from '../lifecycle/policy.ts';
import { filterList, readMutability } from '../mutability.ts';
import { registryOf } from '../names.ts';
import { page } from '../paging.ts';
import { checkPolicy } from '../policy-text.ts';
import { checkPrefix } from '../pull-through/rules.ts';
import { type TemplateRecord, templateKey, templatePrefix } from '../records.ts';
import type { EcrState } from '../state.ts';
import { readTags, tagList } from '../tags.ts';
import { checkEncryption } from './repositories.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: Amazon ECR API Reference, "CreateRepositoryCreationTemplate". */
const PREFIX_LENGTH = { least: 1, most: 256 };
const OCCASIONS: readonly string[] = ['PULL_THROUGH_CACHE', 'REPLICATION', 'CREATE_ON_PUSH'];

export async function createRepositoryCreationTemplate(
  { store, clock }: EcrState,
  input: ecr.CreateRepositoryCreationTemplateCommandInput,
  context: RequestContext,
): Promise<Output<ecr.CreateRepositoryCreationTemplateCommandOutput>> {
  const registry = registryOf({}, context);
  const prefix = checkPrefix(input.prefix!, 'prefix', PREFIX_LENGTH);
  const now = clock.now();
  const record: TemplateRecord = { ...readSettings(input), prefix, createdAt: now, updatedAt: now };
  await store.transact(async (transaction) => {
    if (await transaction.get(templateKey(registry, prefix))) {
      throw new ServiceError(
        'TemplateAlreadyExistsException',
        `The repository creation template with prefix '${prefix}' already exists in the registry with id '${registry.account}'`,
      );
    }
    transaction.put(templateKey(registry, prefix), record);
  });
  return { registryId: registry.account, repositoryCreationTemplate: describe(record) };
}

export async function updateRepositoryCreationTemplate(
  { store, clock }: EcrState,
  input: ecr.UpdateRepositoryCreationTemplateCommandInput,
  context: RequestContext,
): Promise<Output<ecr.UpdateRepositoryCreationTemplateCommandOutput>> {
  const registry = registryOf({}, context);
  const prefix = input.prefix!;
  const record = await store.transact(async (transaction) => {
    const before = (await transaction.get<TemplateRecord>(templateKey(registry, prefix)))?.value;
    if (!before) throw notFound(registry.account, prefix);
    const whole = { ...describe(before), ...definedOf(input) };
    // Filters belong to the mode that they came with.
    if (input.imageTagMutability !== undefined) {
      whole.imageTagMutabilityExclusionFilters = input.imageTagMutabilityExclusionFilters;
    }
    const changed: TemplateRecord = {
      ...readSettings(whole),
      prefix,
      createdAt: before.createdAt,
      updatedAt: clock.now(),
    };
    transaction.put(templateKey(registry, prefix), changed);
    return changed;
  });
  return { registryId: registry.account, repositoryCreationTemplate: describe(record) };
}

export async function describeRepositoryCreationTemplates(
  { store }: EcrState,
  input: ecr.DescribeRepositoryCreationTemplatesCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribeRepositoryCreationTemplatesCommandOutput>> {
  const registry = registryOf({}, context);
  const all = (await store.range<TemplateRecord>({ prefix: templatePrefix(registry) })).map(({ value }) => value);
  const { prefixes } = input;
  const wanted = prefixes === undefined ? all : all.filter(({ prefix }) => prefixes.includes(prefix));
  const { items, nextToken } = page(wanted, ({ prefix }) => prefix, input);
  return { registryId: registry.account, repositoryCreationTemplates: items.map(describe), nextToken };
}

export async function deleteRepositoryCreationTemplate(
  { store }: EcrState,
  input: ecr.DeleteRepositoryCreationTemplateCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeleteRepositoryCreationTemplateCommandOutput>> {
  const registry = registryOf({}, context);
  const record = await store.transact(async (transaction) => {
    const found = (await transaction.get<TemplateRecord>(templateKey(registry, input.prefix!)))?.value;
    if (!found) throw notFound(registry.account, input.prefix!);
    transaction.delete(templateKey(registry, input.prefix!));
    return found;
  });
  return { registryId: registry.account, repositoryCreationTemplate: describe(record) };
}

type Settings = Omit<ecr.CreateRepositoryCreationTemplateCommandInput, 'prefix'>;

function readSettings(input: Settings | ecr.RepositoryCreationTemplate) {
  checkEncryption(input.encryptionConfiguration);
  if (input.customRoleArn !== undefined) {
    throw refused('customRoleArn', 'Repositories are made by ECR itself, without a role.');
  }
  const appliedFor = input.appliedFor ?? [];
  if (appliedFor.length === 0 || appliedFor.some((occasion) => !OCCASIONS.includes(occasion))) {
    throw constraint('appliedFor', `must have some of ${OCCASIONS.join(', ')}`);
  }
  if (input.description !== undefined && input.description.length > 256) {
    throw constraint('description', 'must have length less than or equal to 256');
  }
  if (input.repositoryPolicy) checkPolicy(input.repositoryPolicy, 'repositoryPolicy');
  if (input.lifecyclePolicy) readLifecyclePolicy(input.lifecyclePolicy);
  return {
    ...readMutability(input.imageTagMutability, input.imageTagMutabilityExclusionFilters),
    appliedFor: [...new Set(appliedFor)],
    description: input.description,
    tags: readTags(input.resourceTags),
    // An empty text takes a policy away.
    policy: input.repositoryPolicy || undefined,
    lifecycle: input.lifecyclePolicy || undefined,
  };
}

function describe(record: TemplateRecord): ecr.RepositoryCreationTemplate {
  return {
    prefix: record.prefix,
    ...(record.description === undefined ? {} : { description: record.description }),
    encryptionConfiguration: { encryptionType: 'AES256' },
    resourceTags: tagList(record.tags),
    imageTagMutability: record.mutability,
    imageTagMutabilityExclusionFilters: filterList(record.exclusions),
    ...(record.policy === undefined ? {} : { repositoryPolicy: record.policy }),
    ...(record.lifecycle === undefined ? {} : { lifecyclePolicy: record.lifecycle }),
    appliedFor: [...record.appliedFor] as ecr.RCTAppliedFor[],
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
  };
}

function definedOf<T extends object>(input: T): Partial<T> {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function notFound(account: string, prefix: string): ServiceError {
  return new ServiceError(
    'TemplateNotFoundException',
    `The repository creation template with prefix '${prefix}' does not exist in the registry with id '${account}'`,
  );
}
