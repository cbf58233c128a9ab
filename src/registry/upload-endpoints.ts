import { ServiceError } from '../base/errors.ts';
import { type Descriptor, isDigest, isRepositoryName, type Repositories, type Upload } from '../images/index.ts';
import type { RegistryRequest } from './registry-request.ts';
import type { Reply } from './reply.ts';

/** May this client read the repository, so that it may mount a blob of it? */
export type MayRead = (repository: string) => Promise<boolean>;

/** How many repositories are tried for a blob that is to be mounted from wherever it is. */
const MAX_PLACES = 100;

/**
 * POST: mounts a blob, takes one that comes whole, or begins an upload. Source: OCI Distribution Specification 1.1, "Pushing blobs",
 * "Mounting a blob from another repository".
 */
export async function startUpload(
  repositories: Repositories,
  request: RegistryRequest,
  mayRead: MayRead,
): Promise<Reply> {
  const repository = request.repository();
  const mount = request.query.get('mount');
  if (mount !== null && (await mountBlob(repositories, request, mount, mayRead))) return created(request, mount);
  const digest = request.query.get('digest');
  if (digest !== null && mount === null) {
    const { digest: kept } = await repositories.putBlob(repository, digest, request.message);
    return created(request, kept);
  }
  return accepted(request, await repositories.startUpload(repository), { 'oci-chunk-min-length': '1' });
}

/** From the repository that is named, or else from any that has it. What cannot be mounted, as it is no name or digest, is uploaded. */
async function mountBlob(
  repositories: Repositories,
  request: RegistryRequest,
  digest: string,
  mayRead: MayRead,
): Promise<boolean> {
  const from = request.query.get('from');
  if (!isDigest(digest) || (from !== null && !isRepositoryName(from))) return false;
  const places = from === null ? await repositories.repositoriesOfBlob(digest, MAX_PLACES) : [request.repository(from)];
  for (const place of places) {
    if ((await mayRead(place)) && (await repositories.mountBlob(request.repository(), digest, place))) return true;
  }
  return false;
}

/** GET: how far the upload has come. */
export async function uploadStatus(repositories: Repositories, request: RegistryRequest, id: string): Promise<Reply> {
  const upload = await repositories.getUpload(request.repository(), id);
  return { ...accepted(request, upload), status: 204 };
}

/** PATCH: a chunk, or a stream of unknown length. */
export async function appendChunk(repositories: Repositories, request: RegistryRequest, id: string): Promise<Reply> {
  const upload = await inOrder(request, id, () =>
    repositories.appendUpload(request.repository(), id, request.message, chunkRange(request)),
  );
  return accepted(request, upload);
}

/** PUT: the last chunk, if there is one, and the digest of it all. */
export async function finishUpload(repositories: Repositories, request: RegistryRequest, id: string): Promise<Reply> {
  const digest = request.query.get('digest');
  if (digest === null) {
    throw new ServiceError('DIGEST_INVALID', 'the query parameter "digest" is missing: an upload ends by telling it');
  }
  const body = request.hasBody ? request.message : undefined;
  const range = body && chunkRange(request);
  const blob = await inOrder(request, id, () =>
    repositories.finishUpload(request.repository(), id, digest, body, range),
  );
  return created(request, blob.digest);
}

export async function cancelUpload(repositories: Repositories, request: RegistryRequest, id: string): Promise<Reply> {
  await repositories.cancelUpload(request.repository(), id);
  return { status: 204 };
}

/** `Content-Range: 0-99`; that of HTTP (`bytes 0-99/1000`) is understood, too. Throws `BLOB_UPLOAD_INVALID`, `SIZE_INVALID`. */
function chunkRange(request: RegistryRequest): { start: number; end: number } | undefined {
  const header = request.header('content-range');
  if (header === undefined) return undefined;
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  const [start, end] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || end < start) {
    throw new ServiceError('BLOB_UPLOAD_INVALID', 'Content-Range must be like 0-99: first and last byte of the chunk');
  }
  const length = request.header('content-length');
  if (length !== undefined && Number(length) !== end - start + 1) {
    throw new ServiceError('SIZE_INVALID', `Content-Length is ${length}, but Content-Range is for ${end - start + 1}`);
  }
  return { start, end };
}

/** Tells a client whose chunk is not the next one where to go on. */
async function inOrder<T>(request: RegistryRequest, id: string, append: () => Promise<T>): Promise<T> {
  try {
    return await append();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status !== 416) throw error;
    const offset = Number(error.members.offset);
    throw new ServiceError(error.code, error.message, {
      status: 416,
      members: { detail: { offset } },
      headers: progress(request, { id, offset }),
    });
  }
}

function accepted(request: RegistryRequest, upload: Upload, further: Readonly<Record<string, string>> = {}): Reply {
  return { status: 202, headers: { ...progress(request, upload), ...further } };
}

function progress(request: RegistryRequest, { id, offset }: Pick<Upload, 'id' | 'offset'>): Record<string, string> {
  return {
    location: `/v2/${request.name}/blobs/uploads/${id}`,
    range: `0-${Math.max(0, offset - 1)}`,
    'docker-upload-uuid': id,
  };
}

function created(request: RegistryRequest, digest: Descriptor['digest']): Reply {
  return {
    status: 201,
    headers: { location: `/v2/${request.name}/blobs/${digest}`, 'docker-content-digest': digest },
  };
}
