import type { DescribeParametersCommandInput, ParameterStringFilter } from '@aws-sdk/client-ssm';
import { ServiceError } from '../../base/errors.ts';
import { constraint, validation } from './errors.ts';
import { checkPath, isBelow } from './names.ts';
import type { ParameterRecord } from './records.ts';

/** Is a parameter of this name wanted? */
export type ParameterTest = (name: string, parameter: ParameterRecord) => boolean;

interface ReadFilter {
  readonly key: string;
  readonly option: string;
  readonly values: readonly string[];
}

const DESCRIBE_KEYS = ['Path', 'Name', 'Type', 'KeyId', 'Tier', 'DataType'];
const BY_PATH_KEYS = ['Type', 'KeyId', 'Label'];
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  Tier: ['Standard', 'Advanced', 'Intelligent-Tiering'],
  Type: ['String', 'StringList', 'SecureString'],
};
const MAX_VALUES = 50;

/**
 * The filters of DescribeParameters. Throws ValidationException, InvalidFilterKey, InvalidFilterOption, InvalidFilterValue.
 * Source: API Reference, "ParameterStringFilter".
 */
export function describeFilter(input: DescribeParametersCommandInput): ParameterTest {
  const { Filters: old = [], ParameterFilters: filters = [] } = input;
  if (old.length > 0 && filters.length > 0) {
    throw validation('You can use either Filters or ParameterFilters in a single request.');
  }
  const tests = [
    ...readFilters(filters, DESCRIBE_KEYS).map(describeTest),
    ...old.map(({ Key: key, Values: values }) => oldTest(key!, values!)),
  ];
  return (name, parameter) => tests.every((test) => test(name, parameter));
}

/** The older form: names by their beginning, the rest as a whole. */
function oldTest(key: string, values: readonly string[]): ParameterTest {
  if (!['Name', 'Type', 'KeyId'].includes(key)) {
    throw constraint(key, 'filters.1.member.key', 'Member must satisfy enum value set: [KeyId, Name, Type]');
  }
  return describeTest({ key, option: key === 'Name' ? 'BeginsWith' : 'Equals', values });
}

function describeTest({ key, option, values }: ReadFilter): ParameterTest {
  if (key === 'Path') {
    const paths = values.map(checkFilterPath);
    return (name) => paths.some((path) => isBelow(name, path, option === 'Recursive'));
  }
  if (key === 'Name') {
    // A name with and one without its leading slash are the same to this filter.
    const qualified = (text: string) => (text.startsWith('/') ? text : `/${text}`);
    const wanted = option === 'Contains' ? values : values.map(qualified);
    return (name) => wanted.some((value) => compare(option, qualified(name), value));
  }
  if (key.startsWith('tag:')) {
    const tag = key.slice('tag:'.length);
    return (_name, { tags }) =>
      Object.hasOwn(tags, tag) && (values.length === 0 || values.some((value) => compare(option, tags[tag]!, value)));
  }
  const read: Readonly<Record<string, (parameter: ParameterRecord) => string | undefined>> = {
    Type: ({ latest }) => latest.type,
    KeyId: ({ latest }) => latest.keyId,
    Tier: ({ latest }) => latest.tier,
    DataType: ({ latest }) => latest.dataType,
  };
  return (_name, parameter) => {
    const text = read[key]!(parameter);
    return text !== undefined && values.some((value) => compare(option, text, value));
  };
}

function compare(option: string, text: string, value: string): boolean {
  if (option === 'BeginsWith') return text.startsWith(value);
  return option === 'Contains' ? text.includes(value) : text === value;
}

function checkFilterPath(path: string): string {
  if (/^\/(aws|ssm)/i.test(path)) {
    throw validation(
      'Filters for common parameters can\'t be prefixed with "aws" or "ssm" (case-insensitive). When using global parameters, please specify within a global namespace.',
    );
  }
  return checkPath(path);
}

export interface ByPathFilter {
  readonly test: ParameterTest;
  /** Versions with one of these labels are wanted instead of the latest. */
  readonly labels: readonly string[] | undefined;
}

/** The filters of GetParametersByPath: type, key and label. Throws as `describeFilter` does. */
export function byPathFilter(filters: readonly ParameterStringFilter[]): ByPathFilter {
  const read = readFilters(filters, BY_PATH_KEYS);
  const tests = read.filter(({ key }) => key !== 'Label').map(describeTest);
  return {
    test: (name, parameter) => tests.every((test) => test(name, parameter)),
    labels: read.find(({ key }) => key === 'Label')?.values,
  };
}

function readFilters(filters: readonly ParameterStringFilter[], keys: readonly string[]): readonly ReadFilter[] {
  const seen = new Set<string>();
  return filters.map(({ Key: key = '', Option, Values }, index) => {
    const isTag = key.startsWith('tag:') && key.length > 4;
    checkShape(key, Option, Values, index);
    if (!keys.includes(key) && !(isTag && keys === DESCRIBE_KEYS)) {
      throw new ServiceError(
        'InvalidFilterKey',
        `The following filter key is not valid: ${key}. Valid filter keys include: [${keys.join(', ')}].`,
      );
    }
    if (!isTag && (Values === undefined || Values.length === 0)) {
      throw new ServiceError(
        'InvalidFilterValue',
        `The following filter values are missing : null for filter key ${key}.`,
      );
    }
    if (seen.has(key)) {
      throw validation(
        `The following filter is duplicated in the request: ${key}. A request can contain only one occurrence of a specific filter.`,
      );
    }
    seen.add(key);
    const options = optionsOf(key, keys);
    const option = Option ?? options.fallback;
    if (!options.valid.includes(option)) {
      throw new ServiceError(
        'InvalidFilterOption',
        `The following filter option is not valid: ${option}. Valid options include: [${options.valid.join(', ')}].`,
      );
    }
    const wrong = (Values ?? []).find((value) => CHOICES[key] && !CHOICES[key].includes(value));
    if (wrong !== undefined) {
      throw new ServiceError(
        'InvalidFilterValue',
        `The following filter value is not valid: ${wrong}. Valid values include: [${CHOICES[key]!.join(', ')}].`,
      );
    }
    return { key, option, values: Values ?? [] };
  });
}

/** What the model itself asks of a filter. */
function checkShape(key: string, option: string | undefined, values: readonly string[] | undefined, index: number) {
  const at = `parameterFilters.${index + 1}.member`;
  if (!/^(tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType)$/s.test(key)) {
    throw constraint(
      key,
      `${at}.key`,
      'Member must satisfy regular expression pattern: tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType',
    );
  }
  if (option !== undefined && (option.length < 1 || option.length > 10)) {
    throw constraint(option, `${at}.option`, 'Member must have length less than or equal to 10');
  }
  if (values && values.length > MAX_VALUES) {
    throw constraint(values, `${at}.values`, `Member must have length less than or equal to ${MAX_VALUES}`);
  }
}

function optionsOf(key: string, keys: readonly string[]): { readonly valid: string[]; readonly fallback: string } {
  if (key === 'Path') return { valid: ['Recursive', 'OneLevel'], fallback: 'OneLevel' };
  if (key === 'Label') return { valid: ['Equals'], fallback: 'Equals' };
  const valid = ['BeginsWith', 'Equals'];
  return { valid: key === 'Name' && keys === DESCRIBE_KEYS ? [...valid, 'Contains'] : valid, fallback: 'Equals' };
}
