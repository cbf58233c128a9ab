import type * as ecr from '@aws-sdk/client-ecr';
import { ServiceError } from '../../../base/errors.ts';
import { isAllowedHost, isLoopback } from '../../../events/index.ts';
import type { RequestContext } from '../../service.ts';
import { constraint, invalidParameter, refused } from '../errors.ts';
import { registryOf } from '../names.ts';
import { page } from '../paging.ts';
import { checkCredentials, readCredentials } from '../pull-through/credentials.ts';
import { checkPrefix, kindOf, ownRegistry, readUpstreamUrl } from '../pull-through/rules.ts';
import type { SecretReader } from '../pull-through/upstream.ts';
import { type PullThroughRule, type RegistryId, ruleKey, rulePrefix } from '../records.ts';
import type { EcrState } from '../state.ts';
import { ROOT_PREFIX } from '../templates.ts';

type Output<T> = Omit<T, '$metadata'>;

/** Source: Amazon ECR User Guide, "Amazon ECR service quotas". */
const MAX_RULES = 50;
const MAX_PREFIXES = 100;

export async function createPullThroughCacheRule(
  { store, clock }: EcrState,
  secrets: SecretReader,
  input: ecr.CreatePullThroughCacheRuleCommandInput,
  context: RequestContext,
): Promise<Output<ecr.CreatePullThroughCacheRuleCommandOutput>> {
  const registry = registryOf(input, context);
  const prefix = checkPrefix(input.ecrRepositoryPrefix!, 'ecrRepositoryPrefix');
  const { url, host } = readUpstreamUrl(input.upstreamRegistryUrl!);
  if (!isAllowedHost(host, isLoopback(context.sourceIp))) {
    throw constraint('upstreamRegistryUrl', 'must not be on the machine that Kobune runs on');
  }
  refuseRole(input.customRoleArn);
  const kind = kindOf(host);
  if (input.upstreamRegistry !== undefined && input.upstreamRegistry !== kind) {
    throw new ServiceError(
      'UnsupportedUpstreamRegistryException',
      `${input.upstreamRegistryUrl} is not the URL of a registry of type ${input.upstreamRegistry}`,
    );
  }
  const now = clock.now();
  const rule: PullThroughRule = {
    prefix,
    url,
    kind: kind ?? '',
    credentialArn: input.credentialArn,
    upstreamPrefix: checkPrefix(input.upstreamRepositoryPrefix ?? ROOT_PREFIX, 'upstreamRepositoryPrefix'),
    local: isLoopback(context.sourceIp),
    createdAt: now,
    updatedAt: now,
  };
  if (input.credentialArn !== undefined) await checkCredentials(secrets, input.credentialArn, registry);
  await store.transact(async (transaction) => {
    const rules = await transaction.range<PullThroughRule>({ prefix: rulePrefix(registry) });
    if (rules.some(({ value }) => value.prefix === prefix)) {
      throw new ServiceError(
        'PullThroughCacheRuleAlreadyExistsException',
        `A pull through cache rule with repository prefix '${prefix}' already exists in the registry with id '${registry.account}'`,
      );
    }
    if (rules.length >= MAX_RULES) {
      throw new ServiceError(
        'LimitExceededException',
        `A registry can have at most ${MAX_RULES} pull through cache rules.`,
      );
    }
    transaction.put(ruleKey(registry, prefix), rule);
  });
  const { updatedAt: _, ...described } = describe(registry, rule);
  return described;
}

export async function describePullThroughCacheRules(
  { store }: EcrState,
  input: ecr.DescribePullThroughCacheRulesCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DescribePullThroughCacheRulesCommandOutput>> {
  const registry = registryOf(input, context);
  const all = (await store.range<PullThroughRule>({ prefix: rulePrefix(registry) })).map(({ value }) => value);
  const { ecrRepositoryPrefixes: wanted } = input;
  if (wanted && (wanted.length < 1 || wanted.length > MAX_PREFIXES)) {
    throw constraint('ecrRepositoryPrefixes', `must have between 1 and ${MAX_PREFIXES} entries`);
  }
  const missing = wanted?.find((prefix) => !all.some((rule) => rule.prefix === prefix));
  if (missing !== undefined) throw ruleNotFound(registry, missing);
  const rules = wanted === undefined ? all : all.filter(({ prefix }) => wanted.includes(prefix));
  const { items, nextToken } = page(rules, ({ prefix }) => prefix, input);
  return { pullThroughCacheRules: items.map((rule) => describe(registry, rule)), nextToken };
}

export async function updatePullThroughCacheRule(
  { store, clock }: EcrState,
  secrets: SecretReader,
  input: ecr.UpdatePullThroughCacheRuleCommandInput,
  context: RequestContext,
): Promise<Output<ecr.UpdatePullThroughCacheRuleCommandOutput>> {
  const registry = registryOf(input, context);
  refuseRole(input.customRoleArn);
  const { credentialArn } = input;
  if (credentialArn === undefined) {
    throw invalidParameter('Invalid input: Please set either credential arn or role arn to update the credentials');
  }
  await checkCredentials(secrets, credentialArn, registry);
  const rule = await store.transact(async (transaction) => {
    const before = (await transaction.get<PullThroughRule>(ruleKey(registry, input.ecrRepositoryPrefix!)))?.value;
    if (!before) throw ruleNotFound(registry, input.ecrRepositoryPrefix!);
    const changed: PullThroughRule = { ...before, credentialArn, updatedAt: clock.now() };
    transaction.put(ruleKey(registry, before.prefix), changed);
    return changed;
  });
  return {
    ecrRepositoryPrefix: rule.prefix,
    registryId: registry.account,
    updatedAt: new Date(rule.updatedAt),
    credentialArn,
    upstreamRepositoryPrefix: rule.upstreamPrefix,
  };
}

export async function deletePullThroughCacheRule(
  { store }: EcrState,
  input: ecr.DeletePullThroughCacheRuleCommandInput,
  context: RequestContext,
): Promise<Output<ecr.DeletePullThroughCacheRuleCommandOutput>> {
  const registry = registryOf(input, context);
  const key = ruleKey(registry, input.ecrRepositoryPrefix!);
  const rule = await store.transact(async (transaction) => {
    const found = (await transaction.get<PullThroughRule>(key))?.value;
    if (!found) throw ruleNotFound(registry, input.ecrRepositoryPrefix!);
    transaction.delete(key);
    return found;
  });
  const { updatedAt: _, upstreamRegistry: __, ...described } = describe(registry, rule);
  return described;
}

/** Asks the upstream, with the rule's credentials. */
export async function validatePullThroughCacheRule(
  { store, upstreams }: EcrState,
  secrets: SecretReader,
  input: ecr.ValidatePullThroughCacheRuleCommandInput,
  context: RequestContext,
): Promise<Output<ecr.ValidatePullThroughCacheRuleCommandOutput>> {
  const registry = registryOf(input, context);
  const rule = (await store.get<PullThroughRule>(ruleKey(registry, input.ecrRepositoryPrefix!)))?.value;
  if (!rule) throw ruleNotFound(registry, input.ecrRepositoryPrefix!);
  let failure: string | undefined;
  try {
    // Another registry of this Kobune is there, whatever it holds.
    if (!ownRegistry(rule)) {
      const credentials = await readCredentials(secrets, rule.credentialArn, registry);
      await upstreams.check({ url: rule.url, local: rule.local, credentials });
    }
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    failure = error.message;
  }
  const { createdAt: _, updatedAt: __, upstreamRegistry: ___, ...described } = describe(registry, rule);
  return { ...described, isValid: failure === undefined, ...(failure === undefined ? {} : { failure }) };
}

function describe({ account }: RegistryId, rule: PullThroughRule): ecr.PullThroughCacheRule {
  return {
    ecrRepositoryPrefix: rule.prefix,
    // As AWS writes it: without a scheme, where it is the usual one.
    upstreamRegistryUrl: rule.url.replace(/^https:\/\//, ''),
    createdAt: new Date(rule.createdAt),
    updatedAt: new Date(rule.updatedAt),
    registryId: account,
    ...(rule.credentialArn === undefined ? {} : { credentialArn: rule.credentialArn }),
    upstreamRepositoryPrefix: rule.upstreamPrefix,
    ...(rule.kind === '' ? {} : { upstreamRegistry: rule.kind as ecr.UpstreamRegistry }),
  };
}

function refuseRole(role: string | undefined): void {
  if (role === undefined) return;
  throw refused('customRoleArn', 'Registries of this Kobune are asked in the name of the account that the rule is of.');
}

function ruleNotFound({ account }: RegistryId, prefix: string): ServiceError {
  return new ServiceError(
    'PullThroughCacheRuleNotFoundException',
    `The pull through cache rule with repository prefix '${prefix}' does not exist in the registry with id '${account}'`,
  );
}
