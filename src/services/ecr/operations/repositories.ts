import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import { ecrRepository } from '../../../images/index.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, refused } from '../errors.ts';
import { filterList, readMutability } from '../mutability.ts';
import { checkName, completeName, fits, registryOf, repositoryArn, repositoryOf } from '../names.ts';
import { page, refusePaging } from '../paging.ts';
import { type RepositoryId, type RepositoryRecord, repositoryPrefix } from '../records.ts';
import {
  addRepository,
  changeRepository,
  type EcrState,
  existing,
  findRepository,
  getRepository,
  removeRepository,
} from '../state.ts';
import { readTags } from '../tags.ts';

type Output<T> = Omit<T, '$metadata'>;

export async function createRepository(
  state: EcrState,
  input: ecr.CreateRepositoryCommandInput,
  context: RequestContext,
): Promise<Output<ecr.CreateRepositoryCommandOutput>> {
  const id = repositoryOf(input, context);
  if (!fits(id)) throw constraint('repositoryName', 'must fit into 255 characters with the name of its registry');
  checkScanning(input.imageScanningConfiguration);
  checkEncryption(input.encryptionConfiguration);
  const settings = {
    ...readMutability(input.imageTagMutability, input.imageTagMutabilityExclusionFilters),
    tags: readTags(input.tags),
  };
  const record = await state.store.transact(async (transaction) => {
    if (await findRepository(transaction, id)) {
      throw new ServiceError(
        'RepositoryAlreadyExistsException',
        `The repository with name '${id.name}' already exists in the registry with id '${id.account}'`,
      );
    }
    return addRepository(state, transaction, id, settings);
  });
  return { repository: describe(id, record) };
}

export async function describeRepositories(
  { store }: EcrState,
  input: ecr.DescribeRepositoriesCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribeRepositoriesCommandOutput>> {
  const registry = registryOf(input, context);
  if (input.repositoryNames !== undefined) {
    refusePaging(input, 'repositoryNames');
    if (input.repositoryNames.length < 1 || input.repositoryNames.length > 100) {
      throw constraint('repositoryNames', 'must have between 1 and 100 entries');
    }
    const ids = input.repositoryNames.map((name) => ({ ...registry, name: checkName(name, 'repositoryNames') }));
    const records = await Promise.all(ids.map((id) => getRepository(store, id)));
    return { repositories: ids.map((id, i) => describe(id, records[i]!)) };
  }
  const all = await store.range<RepositoryRecord>({ prefix: repositoryPrefix(registry) });
  const { items, nextToken } = page(all, ({ key }) => String(key.at(-1)), input);
  const repositories = items.map(({ key, value }) => describe({ ...registry, name: String(key.at(-1)) }, value));
  return { repositories, nextToken };
}

export async function deleteRepository(
  state: EcrState,
  input: ecr.DeleteRepositoryCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeleteRepositoryCommandOutput>> {
  const record = await state.store.transact(async (transaction) => {
    const { id, record: found } = await existing(transaction, input, context);
    if (input.force !== true && !(await state.repositories.isEmpty(completeName(id), transaction))) {
      throw new ServiceError(
        'RepositoryNotEmptyException',
        `The repository with name '${id.name}' in registry with id '${id.account}' cannot be deleted because it still contains images`,
      );
    }
    await removeRepository(state, transaction, id, found);
    return found;
  });
  return { repository: describe(repositoryOf(input, context), record) };
}

export async function putImageTagMutability(
  state: EcrState,
  input: ecr.PutImageTagMutabilityCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutImageTagMutabilityCommandOutput>> {
  const id = repositoryOf(input, context);
  const settings = readMutability(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
  const { mutability, exclusions } = await changeRepository(state, id, (record) => ({ ...record, ...settings }));
  return {
    registryId: id.account,
    repositoryName: id.name,
    imageTagMutability: mutability,
    imageTagMutabilityExclusionFilters: filterList(exclusions),
  };
}

export async function putImageScanningConfiguration(
  { store }: EcrState,
  input: ecr.PutImageScanningConfigurationCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutImageScanningConfigurationCommandOutput>> {
  checkScanning(input.imageScanningConfiguration);
  const { id } = await existing(store, input, context);
  return {
    registryId: id.account,
    repositoryName: id.name,
    imageScanningConfiguration: { scanOnPush: false },
  };
}

function describe(id: RepositoryId, record: RepositoryRecord): ecr.Repository {
  return {
    repositoryArn: repositoryArn(id),
    registryId: id.account,
    repositoryName: id.name,
    repositoryUri: ecrRepository(id, id.name),
    createdAt: new Date(record.createdAt),
    imageTagMutability: record.mutability,
    imageTagMutabilityExclusionFilters: filterList(record.exclusions),
    imageScanningConfiguration: { scanOnPush: false },
    encryptionConfiguration: { encryptionType: 'AES256' },
  };
}

function checkScanning(configuration: ecr.ImageScanningConfiguration | undefined): void {
  if (configuration?.scanOnPush !== true) return;
  throw refused('imageScanningConfiguration.scanOnPush=true', 'Images are not scanned by ECR here.');
}

/** `AES256` is what AWS does by itself, at rest; here it is the disk's business. */
export function checkEncryption(configuration: ecr.EncryptionConfiguration | undefined): void {
  const type = configuration?.encryptionType;
  if (type === undefined || (type === 'AES256' && configuration?.kmsKey === undefined)) return;
  throw refused(`The encryption type ${type} (encryptionConfiguration)`, 'Images are kept as they came; use AES256.');
}
