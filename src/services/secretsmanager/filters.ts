import type { Filter } from '@aws-sdk/client-secrets-manager';
import { constraint, invalidParameter } from './errors.ts';
import type { SecretRecord } from './records.ts';

/** Is this secret wanted? */
export type SecretTest = (name: string, region: string, secret: SecretRecord) => boolean;

const MAX_FILTERS = 10;
const MAX_VALUES = 10;

type Attributes = (name: string, region: string, secret: SecretRecord) => readonly string[];

const ATTRIBUTES: Readonly<Record<string, Attributes>> = {
  name: (name) => [name],
  description: (_name, _region, { description = '' }) => [description],
  'tag-key': (_name, _region, { tags }) => Object.keys(tags),
  'tag-value': (_name, _region, { tags }) => Object.values(tags),
  'primary-region': (_name, region, { replicaOf, replicas }) =>
    replicaOf !== undefined || replicas.length > 0 ? [replicaOf ?? region] : [],
  // No other service keeps secrets here.
  'owning-service': () => [],
};
const KEYS = ['all', ...Object.keys(ATTRIBUTES)];

/**
 * All filters must fit; of a filter's values, one. A value that begins with `!` must not fit. Throws
 * InvalidParameterException, ValidationException. Source: API Reference, "Filter".
 */
export function secretFilter(filters: readonly Filter[]): SecretTest {
  if (filters.length > MAX_FILTERS) {
    throw constraint(filters, 'filters', `Member must have length less than or equal to ${MAX_FILTERS}`);
  }
  const tests = filters.map(filterTest);
  return (name, region, secret) => tests.every((test) => test(name, region, secret));
}

function filterTest({ Key: key, Values: values }: Filter, index: number): SecretTest {
  if (key === undefined || !KEYS.includes(key)) {
    throw constraint(
      key ?? '',
      `filters.${index + 1}.member.key`,
      `Member must satisfy enum value set: [${KEYS.join(', ')}]`,
    );
  }
  if (!values || values.length === 0) throw invalidParameter(`Invalid filter values for key: ${key}`);
  if (values.length > MAX_VALUES || values.some((value) => !/^!?[a-zA-Z0-9 :_@/+=.\-!]{1,512}$/.test(value))) {
    throw invalidParameter(`Invalid filter values for key: ${key}`);
  }
  const tests = values.map((value): SecretTest => {
    const negative = value.startsWith('!');
    const test = valueTest(key, negative ? value.slice(1) : value);
    return (...secret) => test(...secret) !== negative;
  });
  return (...secret) => tests.some((test) => test(...secret));
}

function valueTest(key: string, value: string): SecretTest {
  if (key === 'all') {
    const words = value.toLowerCase().split(/\s+/).filter(Boolean);
    return (...secret) => {
      const texts = Object.values(ATTRIBUTES).flatMap((read) => read(...secret).map((text) => text.toLowerCase()));
      return words.some((word) => texts.some((text) => text.includes(word)));
    };
  }
  const read = ATTRIBUTES[key]!;
  if (key === 'description') {
    const wanted = value.toLowerCase();
    return (...secret) => read(...secret).some((text) => text.toLowerCase().startsWith(wanted));
  }
  return (...secret) => read(...secret).some((text) => text.startsWith(value));
}
