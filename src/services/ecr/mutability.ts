import type { ImageTagMutabilityExclusionFilter } from '@aws-sdk/client-ecr';
import { constraint } from './errors.ts';
import type { Mutability, RepositorySettings } from './records.ts';

const MODES: readonly string[] = ['MUTABLE', 'IMMUTABLE', 'MUTABLE_WITH_EXCLUSION', 'IMMUTABLE_WITH_EXCLUSION'];
const MAX_FILTERS = 5;

/** Source: Amazon ECR User Guide, "Preventing image tags from being overwritten in Amazon ECR". */
export function readMutability(
  mode: string | undefined,
  filters: readonly ImageTagMutabilityExclusionFilter[] | undefined,
): Pick<RepositorySettings, 'mutability' | 'exclusions'> {
  const mutability = mode ?? 'MUTABLE';
  if (!MODES.includes(mutability)) throw constraint('imageTagMutability', `must be one of ${MODES.join(', ')}`);
  const exclusions = (filters ?? []).map((filter, i) => readFilter(filter, i));
  if (exclusions.length > MAX_FILTERS) {
    throw constraint('imageTagMutabilityExclusionFilters', `must have at most ${MAX_FILTERS} filters`);
  }
  if (mutability.endsWith('_WITH_EXCLUSION') !== exclusions.length > 0) {
    throw constraint(
      'imageTagMutabilityExclusionFilters',
      exclusions.length > 0 ? `must be omitted for ${mutability}` : `is needed for ${mutability}`,
    );
  }
  return { mutability: mutability as Mutability, exclusions };
}

function readFilter({ filterType, filter = '' }: ImageTagMutabilityExclusionFilter, i: number): string {
  const member = `imageTagMutabilityExclusionFilters[${i}]`;
  if (filterType !== 'WILDCARD') throw constraint(`${member}.filterType`, 'must be WILDCARD');
  if (!/^[0-9a-zA-Z._*-]{1,128}$/.test(filter) || filter.split('*').length > 3) {
    throw constraint(`${member}.filter`, 'must be characters of a tag with at most two wildcards');
  }
  return filter;
}

export function filterList(exclusions: readonly string[]): ImageTagMutabilityExclusionFilter[] | undefined {
  if (exclusions.length === 0) return undefined;
  return exclusions.map((filter) => ({ filterType: 'WILDCARD', filter }));
}

/** Whether a tag, once set, stays with its image. */
export function isImmutable({ mutability, exclusions }: RepositorySettings, tag: string): boolean {
  const excluded = exclusions.some((filter) => matchesWildcard(filter, tag));
  return mutability.startsWith('IMMUTABLE') !== excluded;
}

/** `*` stands for any characters, none too. */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const first = parts.shift()!;
  if (!text.startsWith(first)) return false;
  if (parts.length === 0) return text === pattern;
  const last = parts.pop()!;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
