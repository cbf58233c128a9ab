import { isRepositoryName, parseEcrHost } from '../../../images/index.ts';
import type { Transaction } from '../../../store/index.ts';
import { constraint } from '../errors.ts';
import { type PullThroughRule, type RegistryId, type RepositoryId, rulePrefix } from '../records.ts';
import { covers, ROOT_PREFIX } from '../templates.ts';

/** Hosts of well-known registries, by the name that the API has for them. */
const KINDS: readonly (readonly [kind: string, host: RegExp])[] = [
  ['docker-hub', /^registry-1\.docker\.io$/],
  ['ecr-public', /^public\.ecr\.aws$/],
  ['k8s', /^registry\.k8s\.io$/],
  ['quay', /^quay\.io$/],
  ['github-container-registry', /^ghcr\.io$/],
  ['gitlab-container-registry', /^registry\.gitlab\.com$/],
  ['azure-container-registry', /\.azurecr\.(?:io|us|cn)$/],
  ['chainguard', /^cgr\.dev$/],
];

/** The rule that covers a repository: of those whose prefix fits, the longest. */
export async function ruleFor(
  reader: Pick<Transaction, 'range'>,
  id: RepositoryId,
): Promise<PullThroughRule | undefined> {
  const rules = await reader.range<PullThroughRule>({ prefix: rulePrefix(id) });
  const lengthOf = ({ prefix }: PullThroughRule) => (prefix === ROOT_PREFIX ? 0 : prefix.length);
  return rules
    .map(({ value }) => value)
    .filter(({ prefix }) => covers(prefix, id.name))
    .sort((a, b) => lengthOf(b) - lengthOf(a))[0];
}

/** The repository's name at its upstream. */
export function upstreamName({ prefix, upstreamPrefix }: PullThroughRule, name: string): string {
  const rest = prefix === ROOT_PREFIX ? name : name.slice(prefix.length).replace(/^\//, '');
  const begin = upstreamPrefix === ROOT_PREFIX ? '' : upstreamPrefix.replace(/\/$/, '');
  return [begin, rest].filter((part) => part !== '').join('/');
}

/**
 * Host (and port) of an upstream. Any registry may be one here, not only those that AWS knows; with `http://` before it also one that has
 * no certificate. Throws InvalidParameterException.
 */
export function readUpstreamUrl(text: string): { readonly url: string; readonly host: string } {
  const parsed = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`);
  const plain =
    parsed && parsed.username === '' && parsed.pathname === '/' && parsed.search === '' && parsed.hash === '';
  if (!plain) throw constraint('upstreamRegistryUrl', 'must be the host of a registry');
  return { url: parsed.origin, host: parsed.hostname };
}

/** What the API calls a registry, where it has a name for it. */
export function kindOf(host: string): string | undefined {
  if (parseEcrHost(host)) return 'ecr';
  return KINDS.find(([, pattern]) => pattern.test(host))?.[0];
}

/** Source: Amazon ECR API Reference, "CreatePullThroughCacheRule". */
const PREFIX_LENGTH = { least: 2, most: 30 };

/** A prefix may end with the slash that is meant in any case. Throws InvalidParameterException for what is none. */
export function checkPrefix(prefix: string, member: string, { least, most } = PREFIX_LENGTH): string {
  if (prefix === ROOT_PREFIX) return prefix;
  if (prefix.length < least || prefix.length > most) {
    throw constraint(member, `must have length between ${least} and ${most}`);
  }
  if (!isRepositoryName(prefix.replace(/\/$/, ''))) {
    throw constraint(member, 'must be the beginning of repository names, or ROOT');
  }
  return prefix;
}

/** The registry of this Kobune that a rule leads to, if it does to one. */
export function ownRegistry({ url }: PullThroughRule): RegistryId | undefined {
  return parseEcrHost(new URL(url).hostname);
}
