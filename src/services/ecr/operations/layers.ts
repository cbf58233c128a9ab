import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import { isDigest } from '../../../images/index.ts';
import type { RequestContext } from '../../service.ts';
import { constraint } from '../errors.ts';
import type { LayerDownloads } from '../layer-downloads.ts';
import { completeName } from '../names.ts';
import type { RepositoryId } from '../records.ts';
import { type EcrState, existing } from '../state.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Bytes of a part that clients are told to send, and the most that it may have. Source: Amazon ECR API Reference, "UploadLayerPart". */
const PART_SIZE = 20 * 1024 * 1024;
const MAX_DIGESTS = 100;

export async function batchCheckLayerAvailability(
  state: EcrState,
  input: ecr.BatchCheckLayerAvailabilityCommandInput,
  context: RequestContext,
): Promise<Output<ecr.BatchCheckLayerAvailabilityCommandOutput>> {
  const digests = checkDigests(input.layerDigests);
  const { id } = await existing(state.store, input, context);
  const layers: ecr.Layer[] = [];
  const failures: ecr.LayerFailure[] = [];
  for (const layerDigest of digests) {
    if (!isDigest(layerDigest)) {
      failures.push({
        layerDigest,
        failureCode: 'InvalidLayerDigest',
        failureReason:
          "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
      });
      continue;
    }
    const size = await sizeOf(state, id, layerDigest);
    layers.push(
      size === undefined
        ? { layerDigest, layerAvailability: 'UNAVAILABLE' }
        : { layerDigest, layerAvailability: 'AVAILABLE', layerSize: size },
    );
  }
  return { layers, failures };
}

export async function initiateLayerUpload(
  { store, repositories }: EcrState,
  input: ecr.InitiateLayerUploadCommandInput,
  context: RequestContext,
): Promise<Output<ecr.InitiateLayerUploadCommandOutput>> {
  const { id } = await existing(store, input, context);
  const { id: uploadId } = await repositories.startUpload(completeName(id));
  return { uploadId, partSize: PART_SIZE };
}

export async function uploadLayerPart(
  { store, repositories }: EcrState,
  input: ecr.UploadLayerPartCommandInput,
  context: RequestContext,
): Promise<Output<ecr.UploadLayerPartCommandOutput>> {
  const { id } = await existing(store, input, context);
  const { uploadId = '', partFirstByte: start = 0, partLastByte: end = 0, layerPartBlob: bytes } = input;
  const about = { registryId: id.account, repositoryName: id.name, uploadId };
  if (bytes!.length > PART_SIZE)
    throw constraint('layerPartBlob', `must have length less than or equal to ${PART_SIZE}`);
  if (start < 0 || end < start || bytes!.length !== end - start + 1) {
    throw constraint('layerPartBlob', `must have the bytes from partFirstByte ${start} to partLastByte ${end}`);
  }
  try {
    const chunks = (async function* () {
      yield bytes!;
    })();
    const { offset } = await repositories.appendUpload(completeName(id), uploadId, chunks, { start, end });
    return { ...about, lastByteReceived: offset - 1 };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.status === 404) throw uploadNotFound(id, uploadId);
    if (error.status !== 416) throw error;
    const lastValidByteReceived = Number(error.members.offset) - 1;
    throw new ServiceError(
      'InvalidLayerPartException',
      `Unable to accept layer part. The part must begin with byte ${lastValidByteReceived + 1}, not ${start}.`,
      { members: { ...about, lastValidByteReceived } },
    );
  }
}

export async function completeLayerUpload(
  state: EcrState,
  input: ecr.CompleteLayerUploadCommandInput,
  context: RequestContext,
): Promise<Output<ecr.CompleteLayerUploadCommandOutput>> {
  const { id } = await existing(state.store, input, context);
  const { uploadId = '' } = input;
  const [layerDigest] = checkDigests(input.layerDigests);
  if (!isDigest(layerDigest!)) throw invalidLayer(layerDigest!);
  try {
    const { offset } = await state.repositories.getUpload(completeName(id), uploadId);
    if (offset === 0) {
      throw new ServiceError(
        'EmptyUploadException',
        `The upload with id '${uploadId}' has no layer parts in the repository with name '${id.name}'`,
      );
    }
    if ((await sizeOf(state, id, layerDigest!)) !== undefined) {
      await state.repositories.cancelUpload(completeName(id), uploadId);
      throw new ServiceError(
        'LayerAlreadyExistsException',
        `The image layer '${layerDigest}' already exists in the repository with name '${id.name}' in registry with id '${id.account}'`,
      );
    }
    await state.repositories.finishUpload(completeName(id), uploadId, layerDigest!);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'BLOB_UPLOAD_UNKNOWN') throw uploadNotFound(id, uploadId);
    if (error.code === 'DIGEST_INVALID') throw invalidLayer(layerDigest!);
    throw error;
  }
  return { registryId: id.account, repositoryName: id.name, uploadId, layerDigest };
}

export async function getDownloadUrlForLayer(
  state: EcrState,
  downloads: LayerDownloads,
  input: ecr.GetDownloadUrlForLayerCommandInput,
  context: RequestContext,
): Promise<Output<ecr.GetDownloadUrlForLayerCommandOutput>> {
  const { id } = await existing(state.store, input, context);
  const layerDigest = input.layerDigest!;
  if (!isDigest(layerDigest))
    throw constraint('layerDigest', "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
  if ((await sizeOf(state, id, layerDigest)) === undefined) {
    throw new ServiceError(
      'LayersNotFoundException',
      `The layer with digest '${layerDigest}' does not exist in the repository with name '${id.name}' in the registry with id '${id.account}'`,
    );
  }
  return { layerDigest, downloadUrl: await downloads.sign(id, layerDigest, context) };
}

async function sizeOf({ repositories }: EcrState, id: RepositoryId, digest: string): Promise<number | undefined> {
  try {
    return (await repositories.statBlob(completeName(id), digest)).size;
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) return undefined;
    throw error;
  }
}

function checkDigests(digests: readonly string[] | undefined): readonly string[] {
  if (digests && digests.length >= 1 && digests.length <= MAX_DIGESTS) return digests;
  throw constraint('layerDigests', `must have between 1 and ${MAX_DIGESTS} entries`);
}

function uploadNotFound(id: RepositoryId, uploadId: string): ServiceError {
  return new ServiceError(
    'UploadNotFoundException',
    `The upload with id '${uploadId}' does not exist in the repository with name '${id.name}' in the registry with id '${id.account}'`,
  );
}

function invalidLayer(digest: string): ServiceError {
  return new ServiceError(
    'InvalidLayerException',
    `The calculated digest of the layer does not match '${digest}'; the upload has been discarded`,
  );
}
