import { ServiceError } from '../../../base/errors.ts';
import { parseEcrRepository } from '../../../images/index.ts';
import { repositoryArn } from '../names.ts';
import { accessTo } from '../registry-view.ts';
import { internalContext, rootOf } from '../replication/copy.ts';
import type { EcrState } from '../state.ts';
import type { UpstreamRepository, Upstreams } from './upstream.ts';

/** The registries of ECR in this Kobune as upstreams of each other, for the account that a rule is of. */
export function ownUpstreams(
  state: Pick<EcrState, 'repositories' | 'authorizer' | 'enforce' | 'store'>,
  account: string,
): Upstreams {
  const { repositories } = state;
  const open = async ({ url, repository }: UpstreamRepository): Promise<string> => {
    const name = `${new URL(url).hostname}/${repository}`;
    await checkAccess(state, account, name);
    return name;
  };
  return {
    manifest: async (from, reference) => {
      const name = await open(from);
      const found = await unlessMissing(repositories.getManifest(name, reference, { pulled: true }));
      return found && { digest: found.descriptor.digest, mediaType: found.descriptor.mediaType, bytes: found.bytes };
    },
    blob: async (from, digest) => repositories.openBlob(await open(from), digest),
    check: async () => {},
  };
}

/** Its policy must let the other account in. */
async function checkAccess(
  state: Pick<EcrState, 'authorizer' | 'enforce' | 'store'>,
  account: string,
  repository: string,
): Promise<void> {
  const id = parseEcrRepository(repository);
  if (!state.enforce || !id) return;
  const { policy, conditions } = await accessTo(state, id);
  const about = { resource: repositoryArn(id), resourceAccount: id.account, resourcePolicy: policy, conditions };
  const actions = ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'];
  const principal = rootOf(account);
  try {
    const requests = actions.map((action) => ({ action, ...about }));
    await state.authorizer.authorize(principal, requests, internalContext(principal, id.region));
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    throw new ServiceError('UpstreamAccessDenied', error.message, { status: 403, cause: error });
  }
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ServiceError && error.status === 404) return undefined;
    throw error;
  }
}
