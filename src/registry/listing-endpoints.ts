import { ServiceError } from '../base/errors.ts';
import { ecrHost, MEDIA_TYPES, parseEcrHost, type Repositories } from '../images/index.ts';
import type { RegistryRequest } from './registry-request.ts';
import { json, type Reply } from './reply.ts';

/** Most entries of a page. */
const MAX_PAGE = 10_000;
const REFERRERS_PAGE = 500;

/** Source: OCI Distribution Specification 1.1, "Listing Tags". */
export async function listTags(repositories: Repositories, request: RegistryRequest): Promise<Reply> {
  const { n, last } = page(request);
  const repository = request.repository();
  const limit = Math.min(n ?? MAX_PAGE, MAX_PAGE);
  const { tags, more } =
    limit === 0
      ? { tags: await none(repositories, repository), more: false }
      : await repositories.listTags(repository, { limit, ...(last === undefined ? {} : { after: last }) });
  return json({ name: request.name, tags }, more ? next(request, { n: limit, last: tags.at(-1)! }) : {});
}

/** Source: OCI Distribution Specification 1.1, "Listing Referrers". */
export async function listReferrers(
  repositories: Repositories,
  request: RegistryRequest,
  digest: string,
): Promise<Reply> {
  const artifactType = request.query.get('artifactType') ?? undefined;
  const last = request.query.get('last') ?? undefined;
  const { descriptors, more } = await repositories.referrers(request.repository(), digest, {
    limit: REFERRERS_PAGE,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(last === undefined ? {} : { after: last }),
  });
  const parameters = {
    ...(artifactType === undefined ? {} : { artifactType }),
    last: descriptors.at(-1)?.digest ?? '',
  };
  return json(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: descriptors },
    {
      'content-type': MEDIA_TYPES.ociIndex,
      ...(artifactType === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...(more ? next(request, parameters) : {}),
    },
  );
}

/** By the host of a registry of ECR: its repositories; else all, by their complete names. */
export async function listRepositories(repositories: Repositories, request: RegistryRequest): Promise<Reply> {
  const { n, last } = page(request);
  const registry = parseEcrHost(request.host.replace(/:\d+$/, ''));
  const prefix = registry ? `${ecrHost(registry)}/` : '';
  const limit = Math.min(n ?? MAX_PAGE, MAX_PAGE);
  const found =
    limit === 0
      ? []
      : await repositories.list({
          prefix,
          limit: limit + 1,
          ...(last === undefined ? {} : { after: `${prefix}${last}` }),
        });
  const names = found.slice(0, limit).map((name) => name.slice(prefix.length));
  return json({ repositories: names }, found.length > limit ? next(request, { n: limit, last: names.at(-1)! }) : {});
}

/** No tags, of a repository that is there. */
async function none(repositories: Repositories, repository: string): Promise<readonly string[]> {
  await repositories.listTags(repository, { limit: 1 });
  return [];
}

function page({ query }: RegistryRequest): { n: number | undefined; last: string | undefined } {
  const n = query.get('n');
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new ServiceError('UNSUPPORTED', 'the query parameter "n" is a number of entries', { status: 400 });
  }
  return { n: n === null ? undefined : Number(n), last: query.get('last') ?? undefined };
}

function next({ path }: RegistryRequest, parameters: Readonly<Record<string, string | number>>): { link: string } {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  return { link: `<${path}?${query}>; rel="next"` };
}
