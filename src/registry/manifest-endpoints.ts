import { ServiceError } from '../base/errors.ts';
import { MAX_MANIFEST_SIZE, type ManifestInfo, type Repositories, type StoredManifest } from '../images/index.ts';
import { entityTag, isNotModified, mayReplace } from './conditional.ts';
import type { RegistryRequest } from './registry-request.ts';
import type { Reply } from './reply.ts';

/** GET and HEAD of a manifest. Source: OCI Distribution Specification 1.1, "Pulling manifests". */
export async function readManifest(
  repositories: Repositories,
  request: RegistryRequest,
  reference: string,
): Promise<Reply> {
  const repository = request.repository();
  const head = request.method === 'HEAD';
  const found: ManifestInfo | StoredManifest = head
    ? await repositories.statManifest(repository, reference)
    : await repositories.getManifest(repository, reference, { pulled: true });
  const { digest, mediaType, size } = found.descriptor;
  if (!accepts(request.header('accept'), mediaType)) {
    throw new ServiceError('MANIFEST_UNKNOWN', `the manifest is of type ${mediaType}, which "Accept" does not name`, {
      status: 404,
      members: { detail: { mediaType } },
    });
  }
  const headers = { 'docker-content-digest': digest, etag: entityTag(digest) };
  if (isNotModified(request, digest)) return { status: 304, headers };
  return {
    status: 200,
    headers: { ...headers, 'content-type': mediaType, 'content-length': size },
    ...(isWhole(found) ? { body: found.bytes } : {}),
  };
}

/** Source: OCI Distribution Specification 1.1, "Pushing Manifests". */
export async function writeManifest(
  repositories: Repositories,
  request: RegistryRequest,
  reference: string,
): Promise<Reply> {
  const repository = request.repository();
  const bytes = await readBody(request);
  const mediaType = request.header('content-type');
  const ifCurrent = (digest: string | undefined) => mayReplace(request, digest);
  const pushed = await repositories.putManifest(repository, reference, { mediaType, bytes }, { ifCurrent });
  const { digest } = pushed.descriptor;
  return {
    status: 201,
    headers: {
      location: `/v2/${request.name}/manifests/${digest}`,
      'docker-content-digest': digest,
      ...(pushed.subject === undefined ? {} : { 'oci-subject': pushed.subject }),
      ...(pushed.warnings.length === 0 ? {} : { warning: pushed.warnings.map((text) => `299 - "${text}"`).join(', ') }),
    },
  };
}

export async function deleteManifest(
  repositories: Repositories,
  request: RegistryRequest,
  reference: string,
): Promise<Reply> {
  await repositories.deleteManifest(request.repository(), reference);
  return { status: 202 };
}

function isWhole(found: ManifestInfo | StoredManifest): found is StoredManifest {
  return 'bytes' in found;
}

/** A client that names no types takes any; `application/json` and ranges of types are taken to mean manifests, too. */
function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  const wanted = header.split(',').map((part) => part.split(';')[0]!.trim().toLowerCase());
  return wanted.some((type) => ['*/*', 'application/*', 'application/json', mediaType].includes(type));
}

async function readBody({ message }: RegistryRequest): Promise<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > MAX_MANIFEST_SIZE) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Left open when it is too much: the client is to see the answer.
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_MANIFEST_SIZE) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

const tooLarge = (): ServiceError =>
  new ServiceError('MANIFEST_INVALID', `a manifest may have at most ${MAX_MANIFEST_SIZE} bytes`, { status: 413 });
