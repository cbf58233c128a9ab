import type { Transaction } from '../../store/index.ts';
import { type RepositoryId, type RepositorySettings, type TemplateRecord, templatePrefix } from './records.ts';

export type Occasion = 'PULL_THROUGH_CACHE' | 'REPLICATION' | 'CREATE_ON_PUSH';

export const ROOT_PREFIX = 'ROOT';

const DEFAULTS: RepositorySettings = { mutability: 'MUTABLE', exclusions: [], tags: {} };

/**
 * The template for a repository that is to be made on an occasion: of those whose prefix fits, the longest. Source: Amazon ECR User
 * Guide, "Templates to control repositories created during a pull through cache, create on push, or replication action".
 */
export async function templateFor(
  reader: Pick<Transaction, 'range'>,
  id: RepositoryId,
  occasion: Occasion,
): Promise<TemplateRecord | undefined> {
  const templates = await reader.range<TemplateRecord>({ prefix: templatePrefix(id) });
  return templates
    .map(({ value }) => value)
    .filter(({ prefix, appliedFor }) => appliedFor.includes(occasion) && covers(prefix, id.name))
    .sort((a, b) => lengthOf(b) - lengthOf(a))[0];
}

/** What a repository is made with when nobody has said how. */
export async function settingsFor(
  reader: Pick<Transaction, 'range'>,
  id: RepositoryId,
  occasion: Occasion,
): Promise<RepositorySettings> {
  const template = await templateFor(reader, id, occasion);
  if (!template) return DEFAULTS;
  const { mutability, exclusions, tags, policy, lifecycle } = template;
  return { mutability, exclusions, tags, policy, lifecycle };
}

/** A prefix is whole parts of a name. */
export function covers(prefix: string, name: string): boolean {
  return prefix === ROOT_PREFIX || name === prefix || name.startsWith(`${prefix.replace(/\/$/, '')}/`);
}

const lengthOf = ({ prefix }: Pick<TemplateRecord, 'prefix'>): number => (prefix === ROOT_PREFIX ? 0 : prefix.length);
