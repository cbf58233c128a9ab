import { hash } from 'node:crypto';
import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import type { ManifestInfo, StoredManifest } from '../../../images/index.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, invalidParameter } from '../errors.ts';
import {
  checkIds,
  failureOf,
  findImage,
  getImage,
  ImageProblem,
  notFound,
  referenceOf,
  tagFilter,
  wantsActive,
} from '../images.ts';
import { completeName } from '../names.ts';
import { page, refusePaging } from '../paging.ts';
import { SECRET_ERRORS } from '../pull-through/credentials.ts';
import type { PullThrough } from '../pull-through/pull.ts';
import type { RepositoryId } from '../records.ts';
import { type EcrState, existing } from '../state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Characters of a manifest. Source: Amazon ECR API Reference, "PutImage". */
const MAX_MANIFEST = 4_194_304;
/** Source: Amazon ECR API Reference, "ListImageReferrers". */
const MAX_ARTIFACT_TYPES = 5;
const REFERRERS_PAGE = { most: 50, usual: 20 };

export async function batchGetImage(
  state: EcrState,
  pullThrough: PullThrough,
  input: ecr.BatchGetImageCommandInput,
  context: RequestContext,
): Promise<Output<ecr.BatchGetImageCommandOutput>> {
  const ids = checkIds(input.imageIds);
  const { id } = await existing(state.store, input, context);
  const images: ecr.Image[] = [];
  const failures: ecr.ImageFailure[] = [];
  for (const imageId of ids) {
    try {
      await bring(pullThrough, id, referenceOf(imageId), context);
      images.push(await readImage(state, id, imageId, input.acceptedMediaTypes));
    } catch (error) {
      if (!(error instanceof ImageProblem)) throw error;
      failures.push(failureOf(imageId, error));
    }
  }
  return { images, failures };
}

async function bring(pullThrough: PullThrough, id: RepositoryId, reference: string, { principal }: RequestContext) {
  try {
    await pullThrough.ensure(id, reference, principal);
  } catch (error) {
    const code = error instanceof ServiceError ? error.code : undefined;
    if (code === 'UpstreamAccessDenied' || code === 'UpstreamTooManyRequests' || code === 'UpstreamUnavailable') {
      throw new ImageProblem(code, (error as ServiceError).message);
    }
    // The operation knows no errors of secrets by their own names.
    if (code !== undefined && SECRET_ERRORS.includes(code)) {
      throw new ServiceError('UnableToGetUpstreamImageException', (error as ServiceError).message, { cause: error });
    }
    throw error;
  }
}

async function readImage(
  state: EcrState,
  id: RepositoryId,
  imageId: ecr.ImageIdentifier,
  accepted: readonly string[] | undefined,
): Promise<ecr.Image> {
  const info = await findImage(state, id, imageId);
  const { digest, mediaType } = info.descriptor;
  if (accepted?.length && !accepted.includes(mediaType)) {
    throw new ImageProblem('ImageNotFound', `The image is of media type ${mediaType}, which is not accepted`);
  }
  let manifest: StoredManifest;
  try {
    manifest = await state.repositories.getManifest(completeName(id), imageId.imageTag ?? digest, { pulled: true });
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) throw notFound();
    throw error;
  }
  return imageOf(id, manifest, imageId.imageTag);
}

function imageOf(id: RepositoryId, { descriptor, bytes }: StoredManifest, tag: string | undefined): ecr.Image {
  return {
    registryId: id.account,
    repositoryName: id.name,
    imageId: { imageDigest: descriptor.digest, ...(tag === undefined ? {} : { imageTag: tag }) },
    imageManifest: Buffer.from(bytes).toString('utf8'),
    imageManifestMediaType: descriptor.mediaType,
  };
}

export async function putImage(
  state: EcrState,
  input: ecr.PutImageCommandInput,
  context: RequestContext,
): Promise<Output<ecr.PutImageCommandOutput>> {
  const { id } = await existing(state.store, input, context);
  const { imageManifest: text = '', imageTag, imageDigest, imageManifestMediaType: mediaType } = input;
  if (text.length < 1 || text.length > MAX_MANIFEST) {
    throw constraint('imageManifest', `must have length between 1 and ${MAX_MANIFEST}`);
  }
  if (imageTag !== undefined || imageDigest !== undefined) checkReference({ imageTag, imageDigest });
  const bytes = Buffer.from(text);
  const digest = digestToPut(bytes, imageDigest);
  await refuseSame(state, id, digest, imageTag);
  const pushed = await push(state, id, imageTag ?? digest, { mediaType, bytes }, digest);
  const manifest = await state.repositories.getManifest(completeName(id), pushed);
  return { image: imageOf(id, manifest, imageTag) };
}

function checkReference(image: ecr.ImageIdentifier): void {
  try {
    referenceOf(image);
  } catch (error) {
    if (error instanceof ImageProblem) throw invalidParameter(error.message);
    throw error;
  }
}

function digestToPut(bytes: Uint8Array, given: string | undefined): string {
  const algorithm = given?.startsWith('sha512:') ? 'sha512' : 'sha256';
  const digest = `${algorithm}:${hash(algorithm, bytes)}`;
  if (given === undefined || given === digest) return digest;
  throw new ServiceError(
    'ImageDigestDoesNotMatchException',
    `The specified image digest '${given}' does not match the digest that Amazon ECR calculated for the image '${digest}'.`,
  );
}

/** An image is put once; the registry's own API may put it again. */
async function refuseSame(state: EcrState, id: RepositoryId, digest: string, tag: string | undefined): Promise<void> {
  const info = await findImage(state, id, { imageDigest: digest }).catch((error: unknown) => {
    if (error instanceof ImageProblem) return undefined;
    throw error;
  });
  if (!info || (tag !== undefined && !info.tags.includes(tag))) return;
  const what = tag === undefined ? `'${digest}'` : `'${digest}' and tag '${tag}'`;
  throw new ServiceError(
    'ImageAlreadyExistsException',
    `Image with digest ${what} already exists in the repository with name '${id.name}' in registry with id '${id.account}'`,
  );
}

async function push(
  { repositories }: EcrState,
  id: RepositoryId,
  reference: string,
  manifest: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
  digest: string,
): Promise<string> {
  try {
    const { descriptor } = await repositories.putManifest(completeName(id), reference, manifest);
    return descriptor.digest;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'MANIFEST_INVALID') {
      throw constraint('imageManifest', error.message.replace(/^manifest invalid: /, ''));
    }
    if (error.code !== 'MANIFEST_BLOB_UNKNOWN') throw error;
    const missing = (error.members.errors as readonly { detail: { digest: string } }[]).map((one) => one.detail.digest);
    const isIndex = 'manifests' in (JSON.parse(Buffer.from(manifest.bytes).toString('utf8')) as object);
    const code = isIndex ? 'ReferencedImagesNotFoundException' : 'LayersNotFoundException';
    const what = isIndex ? 'Referenced images' : 'Layers';
    throw new ServiceError(
      code,
      `${what} with digests '${missing.join(', ')}' required for pushing image '${digest}' into repository with name '${id.name}' in the registry with id '${id.account}' do not exist`,
    );
  }
}

export async function listImages(
  { store, repositories }: EcrState,
  input: ecr.ListImagesCommandInput,
  context: RequestContext,
): Promise<Output<ecr.ListImagesCommandOutput>> {
  const { id } = await existing(store, input, context);
  const images = select(await repositories.listManifests(completeName(id)), input.filter);
  const ids = images.flatMap(({ descriptor: { digest }, tags }) =>
    tags.length === 0 ? [{ imageDigest: digest }] : tags.map((tag) => ({ imageDigest: digest, imageTag: tag })),
  );
  const nameOf = ({ imageDigest, imageTag = '' }: { imageDigest: string; imageTag?: string }) =>
    `${imageDigest} ${imageTag}`;
  const { items, nextToken } = page<{ imageDigest: string; imageTag?: string }>(ids, nameOf, input);
  return { imageIds: [...items], nextToken };
}

export async function describeImages(
  state: EcrState,
  input: ecr.DescribeImagesCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribeImagesCommandOutput>> {
  const { id } = await existing(state.store, input, context);
  const all = await state.repositories.listManifests(completeName(id));
  const sizes = new Map(all.map(({ descriptor, contentSize }) => [descriptor.digest, contentSize]));
  if (input.imageIds !== undefined) {
    refusePaging(input, 'imageIds');
    const images: ManifestInfo[] = [];
    for (const imageId of checkIds(input.imageIds)) images.push(await getImage(state, id, imageId));
    return { imageDetails: images.map((image) => detailOf(id, image, sizes)) };
  }
  const nameOf = ({ descriptor }: ManifestInfo) => descriptor.digest;
  const { items, nextToken } = page(select(all, input.filter), nameOf, input);
  return { imageDetails: items.map((image) => detailOf(id, image, sizes)), nextToken };
}

function select(images: readonly ManifestInfo[], filter: ecr.ListImagesFilter | undefined): readonly ManifestInfo[] {
  const tagged = images.filter(tagFilter(filter?.tagStatus));
  return wantsActive('filter.imageStatus', filter?.imageStatus) ? tagged : [];
}

function detailOf(id: RepositoryId, image: ManifestInfo, sizes: ReadonlyMap<string, number>): ecr.ImageDetail {
  const { descriptor, tags, pushedAt, lastPulledAt, contentSize, manifests, subject, configMediaType } = image;
  const artifactMediaType = descriptor.artifactType ?? configMediaType;
  // Of an index: the largest of what it lists.
  const size = manifests.length === 0 ? contentSize : Math.max(...manifests.map((digest) => sizes.get(digest) ?? 0));
  return {
    registryId: id.account,
    repositoryName: id.name,
    imageDigest: descriptor.digest,
    ...(tags.length > 0 ? { imageTags: [...tags] } : {}),
    imageSizeInBytes: size,
    imagePushedAt: new Date(pushedAt),
    imageManifestMediaType: descriptor.mediaType,
    ...(artifactMediaType === undefined ? {} : { artifactMediaType }),
    ...(lastPulledAt === undefined ? {} : { lastRecordedPullTime: new Date(lastPulledAt) }),
    ...(subject === undefined ? {} : { subjectManifestDigest: subject }),
    imageStatus: 'ACTIVE',
  };
}

export async function batchDeleteImage(
  state: EcrState,
  input: ecr.BatchDeleteImageCommandInput,
  context: RequestContext,
): Promise<Output<ecr.BatchDeleteImageCommandOutput>> {
  const ids = checkIds(input.imageIds);
  const { id } = await existing(state.store, input, context);
  const imageIds: ecr.ImageIdentifier[] = [];
  const failures: ecr.ImageFailure[] = [];
  const attempt = async (imageId: ecr.ImageIdentifier, last: boolean): Promise<boolean> => {
    try {
      imageIds.push(...(await deleteImage(state, id, imageId)));
    } catch (error) {
      if (!(error instanceof ImageProblem)) throw error;
      if (error.code === 'ImageReferencedByManifestList' && !last) return false;
      failures.push(failureOf(imageId, error));
    }
    return true;
  };
  // What an index lists can go after the index, in whatever order the request names them.
  const later: ecr.ImageIdentifier[] = [];
  for (const imageId of ids) if (!(await attempt(imageId, false))) later.push(imageId);
  for (const imageId of later) await attempt(imageId, true);
  return { imageIds, failures };
}

async function deleteImage(
  state: EcrState,
  id: RepositoryId,
  imageId: ecr.ImageIdentifier,
): Promise<readonly ecr.ImageIdentifier[]> {
  const { descriptor, tags } = await findImage(state, id, imageId);
  const { digest } = descriptor;
  const { imageTag } = imageId;
  try {
    await state.repositories.deleteManifest(completeName(id), imageTag ?? digest, { lastTag: true });
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.status === 404) throw notFound();
    if (error.status !== 405) throw error;
    const { by } = error.members.detail as { by: string };
    throw new ImageProblem('ImageReferencedByManifestList', `Requested image referenced by manifest list: [${by}]`);
  }
  const gone = imageTag === undefined ? tags : [imageTag];
  return gone.length === 0 ? [{ imageDigest: digest }] : gone.map((tag) => ({ imageDigest: digest, imageTag: tag }));
}

export async function listImageReferrers(
  { store, repositories }: EcrState,
  input: ecr.ListImageReferrersCommandInput,
  context: RequestContext,
): Promise<Output<ecr.ListImageReferrersCommandOutput>> {
  const { id } = await existing(store, input, context);
  const subject = input.subjectId!.imageDigest!;
  checkReference({ imageDigest: subject });
  const { artifactTypes = [], artifactStatus } = input.filter ?? {};
  if (artifactTypes.length > MAX_ARTIFACT_TYPES) {
    throw constraint('filter.artifactTypes', `must have at most ${MAX_ARTIFACT_TYPES} entries`);
  }
  const active = wantsActive('filter.artifactStatus', artifactStatus);
  const { descriptors } = await repositories.referrers(completeName(id), subject);
  const matching = descriptors.filter(
    ({ artifactType = '' }) => active && (artifactTypes.length === 0 || artifactTypes.includes(artifactType)),
  );
  const { items, nextToken } = page(matching, ({ digest }) => digest, input, REFERRERS_PAGE);
  return {
    referrers: items.map(({ digest, mediaType, size, artifactType, annotations }) => ({
      digest,
      mediaType,
      size,
      artifactStatus: 'ACTIVE' as const,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
    })),
    nextToken,
  };
}
