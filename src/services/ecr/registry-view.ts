import { parseEcrRepository } from '../../images/index.ts';
import type { Principal } from '../service.ts';
import type { AuthorizationTokens } from './authorization-tokens.ts';
import type { LayerDownloads } from './layer-downloads.ts';
import { repositoryArn } from './names.ts';
import { policyForEvaluation } from './policy-text.ts';
import type { PullThrough } from './pull-through/pull.ts';
import type { RepositoryId } from './records.ts';
import { settingOf } from './settings.ts';
import { type EcrState, findRepository, getRegistry } from './state.ts';
import { templateFor } from './templates.ts';

/** What the registry's front end asks about repositories of ECR, by their complete names. */
export interface RegistryView {
  identify(password: string): Promise<Principal | undefined>;
  subject(repository: string): Promise<{
    readonly arn: string;
    readonly account: string;
    readonly region: string;
    readonly policy: string | undefined;
    readonly conditions: Readonly<Record<string, readonly string[]>>;
  }>;
  madeByPush(repository: string): Promise<boolean>;
  permitsDownload(repository: string, digest: string, query: URLSearchParams): Promise<boolean>;
  mayMount(repository: string, from: string): Promise<boolean>;
  pullThrough(repository: string, reference: string, principal: Principal | undefined): Promise<void>;
}

export function createRegistryView(
  state: EcrState,
  parts: {
    readonly tokens: AuthorizationTokens;
    readonly downloads: LayerDownloads;
    readonly pullThrough: PullThrough;
  },
): RegistryView {
  return {
    identify: (password) => parts.tokens.identify(password),
    subject: async (repository) => {
      const id = parseEcrRepository(repository)!;
      const { account, region } = id;
      return { arn: repositoryArn(id), account, region, ...(await accessTo(state, id)) };
    },
    madeByPush: async (repository) => {
      const id = parseEcrRepository(repository)!;
      if (await findRepository(state.store, id)) return false;
      return (await templateFor(state.store, id, 'CREATE_ON_PUSH')) !== undefined;
    },
    permitsDownload: (repository, digest, query) => parts.downloads.permits(repository, digest, query),
    mayMount: async (repository) => {
      const record = await getRegistry(state.store, parseEcrRepository(repository)!);
      return settingOf(record, 'BLOB_MOUNTING') === 'ENABLED';
    },
    pullThrough: (repository, reference, principal) =>
      parts.pullThrough.ensure(parseEcrRepository(repository)!, reference, principal),
  };
}

/** The policies that hold for a repository, with its own or another in place of that, and its tags as condition keys. */
export async function accessTo(
  { store }: Pick<EcrState, 'store'>,
  id: RepositoryId,
  otherPolicy?: string,
): Promise<{
  readonly policy: string | undefined;
  readonly conditions: Readonly<Record<string, readonly string[]>>;
}> {
  const [record, registry] = await Promise.all([findRepository(store, id), getRegistry(store, id)]);
  // In its first scope, a registry's policy is about copying and pulling through alone.
  const wide = settingOf(registry, 'REGISTRY_POLICY_SCOPE') === 'V2' ? registry.policy : undefined;
  return {
    policy: policyForEvaluation(otherPolicy ?? record?.policy, wide),
    conditions: Object.fromEntries(
      Object.entries(record?.tags ?? {}).flatMap(([key, value]) => [
        [`aws:ResourceTag/${key}`, [value]],
        [`ecr:ResourceTag/${key}`, [value]],
      ]),
    ),
  };
}
