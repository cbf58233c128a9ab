import { ServiceError } from '../base/errors.ts';
import type { Repositories } from '../images/index.ts';
import { entityTag, isNotModified, selectBytes } from './conditional.ts';
import type { FileBodies } from './file-bodies.ts';
import type { RegistryRequest } from './registry-request.ts';
import type { Reply } from './reply.ts';

/** GET and HEAD of a blob. Source: OCI Distribution Specification 1.1, "Pulling blobs". */
export async function readBlob(
  repositories: Repositories,
  files: FileBodies,
  request: RegistryRequest,
  digest: string,
): Promise<Reply> {
  const repository = request.repository();
  const { size } = await repositories.statBlob(repository, digest);
  const headers = {
    'docker-content-digest': digest,
    etag: entityTag(digest),
    'cache-control': 'private, max-age=31536000, immutable',
    'accept-ranges': 'bytes',
  };
  if (isNotModified(request, digest)) return { status: 304, headers };
  const selection = selectBytes(request, digest, size);
  if (selection.kind === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } };
  }
  const part = selection.kind === 'part' ? selection : undefined;
  const all = {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': part ? part.end - part.start + 1 : size,
    ...(part ? { 'content-range': `bytes ${part.start}-${part.end}/${size}` } : {}),
  };
  const status = part ? 206 : 200;
  if (request.method === 'HEAD' || size === 0) return { status, headers: all };
  const path = await repositories.blobPath(repository, digest);
  const body = await files.open(path, part?.start ?? 0, all['content-length']);
  if (body) return { status, headers: all, body };
  // It was deleted in this moment.
  throw new ServiceError('BLOB_UNKNOWN', 'blob unknown to registry', { status: 404 });
}

export async function deleteBlob(repositories: Repositories, request: RegistryRequest, digest: string): Promise<Reply> {
  await repositories.deleteBlob(request.repository(), digest);
  return { status: 202 };
}
