import type { ImageFailure, ImageFailureCode, ImageIdentifier } from '@aws-sdk/client-ecr';
import { ServiceError } from '../../base/errors.ts';
import { isDigest, isTag, type ManifestInfo } from '../../images/index.ts';
import { constraint } from './errors.ts';
import { completeName } from './names.ts';
import type { RepositoryId } from './records.ts';
import type { EcrState } from './state.ts';

const MAX_IDS = 100;

/** What is wrong with an image that was named among others; the others are not affected. */
export class ImageProblem extends Error {
  readonly code: ImageFailureCode;
  constructor(code: ImageFailureCode, message: string) {
    super(message);
    this.name = 'ImageProblem';
    this.code = code;
  }
}

export const notFound = (): ImageProblem => new ImageProblem('ImageNotFound', 'Requested image not found');

/** Throws InvalidParameterException unless there are 1 to 100. */
export function checkIds(ids: readonly ImageIdentifier[] | undefined): readonly ImageIdentifier[] {
  if (!ids || ids.length < 1 || ids.length > MAX_IDS) {
    throw constraint('imageIds', `must have between 1 and ${MAX_IDS} entries`);
  }
  return ids;
}

const TAG_STATUSES: readonly string[] = ['TAGGED', 'UNTAGGED', 'ANY'];

/** Whether the tags of an image are what a filter asks for. Throws InvalidParameterException for a filter that there is not. */
export function tagFilter(tagStatus = 'ANY'): (image: Pick<ManifestInfo, 'tags'>) => boolean {
  checkOneOf('filter.tagStatus', tagStatus, TAG_STATUSES);
  return ({ tags }) => tagStatus === 'ANY' || tags.length > 0 === (tagStatus === 'TAGGED');
}

const STATUSES: readonly string[] = ['ACTIVE', 'ARCHIVED', 'ACTIVATING', 'ANY'];

/** Whether a filter asks for images that are not archived: here none ever is. Throws InvalidParameterException. */
export function wantsActive(member: string, status = 'ANY'): boolean {
  checkOneOf(member, status, STATUSES);
  return status === 'ANY' || status === 'ACTIVE';
}

function checkOneOf(member: string, value: string, values: readonly string[]): void {
  if (!values.includes(value)) throw constraint(member, `must satisfy enum value set: [${values.join(', ')}]`);
}

/** What to ask the registry for; both parts of an identifier must be well formed. Throws ImageProblem. */
export function referenceOf({ imageDigest, imageTag }: ImageIdentifier): string {
  if (imageDigest === undefined && imageTag === undefined) {
    throw new ImageProblem('MissingDigestAndTag', 'Invalid request parameters: both tag and digest cannot be null');
  }
  if (imageDigest !== undefined && !isDigest(imageDigest)) {
    throw new ImageProblem(
      'InvalidImageDigest',
      "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
    );
  }
  if (imageTag !== undefined && !isTag(imageTag)) {
    throw new ImageProblem('InvalidImageTag', 'Invalid request parameters: the image tag is not valid');
  }
  return imageDigest ?? imageTag!;
}

/** The image that an identifier names. Throws ImageProblem. */
export async function findImage(
  { repositories }: Pick<EcrState, 'repositories'>,
  id: RepositoryId,
  image: ImageIdentifier,
): Promise<ManifestInfo> {
  const reference = referenceOf(image);
  let found: ManifestInfo;
  try {
    found = await repositories.statManifest(completeName(id), reference);
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) throw notFound();
    throw error;
  }
  if (image.imageDigest !== undefined && image.imageTag !== undefined && !found.tags.includes(image.imageTag)) {
    throw new ImageProblem(
      'ImageTagDoesNotMatchDigest',
      'Invalid request parameters: the image tag does not belong to the image digest',
    );
  }
  return found;
}

/** The same, where an operation is about one image. Throws ImageNotFoundException. */
export async function getImage(
  state: Pick<EcrState, 'repositories'>,
  id: RepositoryId,
  image: ImageIdentifier,
): Promise<ManifestInfo> {
  try {
    return await findImage(state, id, image);
  } catch (error) {
    if (!(error instanceof ImageProblem)) throw error;
    if (error.code !== 'ImageNotFound' && error.code !== 'ImageTagDoesNotMatchDigest') {
      throw new ServiceError('InvalidParameterException', error.message);
    }
    const { imageDigest = 'null', imageTag = 'null' } = image;
    throw new ServiceError(
      'ImageNotFoundException',
      `The image with imageId {imageDigest:'${imageDigest}', imageTag:'${imageTag}'} does not exist within the repository with name '${id.name}' in the registry with id '${id.account}'`,
    );
  }
}

export function failureOf(imageId: ImageIdentifier, { code, message }: ImageProblem): ImageFailure {
  return { imageId, failureCode: code, failureReason: message };
}
