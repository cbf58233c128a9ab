import { constraint, refused } from '../errors.ts';

/** A rule of a lifecycle policy. */
export interface LifecycleRule {
  readonly priority: number;
  readonly selection: Selection;
}

export interface Selection {
  readonly tagStatus: 'tagged' | 'untagged' | 'any';
  /** Wildcards, all of which some tag of the image must fit. */
  readonly patterns: readonly string[];
  readonly countType: 'imageCountMoreThan' | 'sinceImagePushed' | 'sinceImagePulled';
  readonly countNumber: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Source: Amazon ECR User Guide, "Amazon ECR service quotas". */
const MAX_LENGTH = 30_720;
const MAX_RULES = 50;
const MAX_WILDCARDS = 4;
const SELECTION = [
  'tagStatus',
  'tagPrefixList',
  'tagPatternList',
  'storageClass',
  'countType',
  'countUnit',
  'countNumber',
];

/**
 * Reads the text of a lifecycle policy; rules come in the order of their priority. Throws InvalidParameterException. Sources: Amazon ECR
 * User Guide, "Lifecycle policy properties in Amazon ECR", "Automate the cleanup of images by using lifecycle policies".
 */
export function readLifecyclePolicy(text: string): readonly LifecycleRule[] {
  if (text.length < 100 || text.length > MAX_LENGTH) {
    throw constraint('LifecyclePolicyText', `must have length between 100 and ${MAX_LENGTH}`);
  }
  const document = object(parse(text), 'the policy', ['rules']);
  const { rules } = document;
  if (!Array.isArray(rules) || rules.length === 0) throw invalid('"rules" is a list of at least one rule');
  if (rules.length > MAX_RULES) throw invalid(`a policy has at most ${MAX_RULES} rules`);
  const read = rules.map((rule, i) => readRule(rule, `rules[${i}]`)).sort((a, b) => a.priority - b.priority);
  checkTogether(read);
  return read;
}

function readRule(value: unknown, where: string): LifecycleRule {
  const rule = object(value, where, ['rulePriority', 'description', 'selection', 'action']);
  if (!isPositive(rule.rulePriority)) throw invalid(`${where}.rulePriority is a number from 1`);
  if (rule.description !== undefined && typeof rule.description !== 'string') {
    throw invalid(`${where}.description is a text`);
  }
  const action = object(rule.action, `${where}.action`, ['type', 'targetStorageClass']);
  if (action.type === 'transition')
    throw refused('The action "transition"', 'Images are not archived here; use "expire".');
  if (action.type !== 'expire') throw invalid(`${where}.action.type is "expire"`);
  if (action.targetStorageClass !== undefined) throw invalid(`"expire" has no targetStorageClass (${where}.action)`);
  return { priority: rule.rulePriority, selection: readSelection(rule.selection, `${where}.selection`) };
}

function readSelection(value: unknown, where: string): Selection {
  const fields = object(value, where, SELECTION);
  const { tagStatus, countType, countNumber, countUnit, storageClass } = fields;
  if (storageClass === 'archive' || countType === 'sinceImageTransitioned') {
    throw refused('The storage class "archive"', 'Images are not archived here.');
  }
  if (storageClass !== undefined && storageClass !== 'standard') throw invalid(`${where}.storageClass is "standard"`);
  if (tagStatus !== 'tagged' && tagStatus !== 'untagged' && tagStatus !== 'any') {
    throw invalid(`${where}.tagStatus is "tagged", "untagged" or "any"`);
  }
  if (countType !== 'imageCountMoreThan' && countType !== 'sinceImagePushed' && countType !== 'sinceImagePulled') {
    throw invalid(`${where}.countType is "imageCountMoreThan", "sinceImagePushed" or "sinceImagePulled"`);
  }
  if (!isPositive(countNumber)) throw invalid(`${where}.countNumber is a number from 1`);
  if (countType === 'imageCountMoreThan' ? countUnit !== undefined : countUnit !== 'days') {
    throw invalid(`${where}.countUnit is "days", and only for ages`);
  }
  return { tagStatus, patterns: readPatterns(fields, tagStatus, where), countType, countNumber };
}

function readPatterns({ tagPrefixList, tagPatternList }: Fields, tagStatus: string, where: string): readonly string[] {
  const prefixes = texts(tagPrefixList, `${where}.tagPrefixList`);
  const patterns = texts(tagPatternList, `${where}.tagPatternList`);
  const given = (prefixes?.length ?? 0) + (patterns?.length ?? 0);
  if (tagStatus !== 'tagged') {
    if (given > 0) throw invalid(`${where} has tags although its tagStatus is "${tagStatus}"`);
    return [];
  }
  if (given === 0) throw invalid(`${where} needs a tagPrefixList or a tagPatternList, as its tagStatus is "tagged"`);
  if (prefixes?.length && patterns?.length) throw invalid(`${where} has both a tagPrefixList and a tagPatternList`);
  for (const pattern of patterns ?? []) {
    if (pattern.split('*').length - 1 > MAX_WILDCARDS) {
      throw invalid(`"${pattern}" has more than ${MAX_WILDCARDS} wildcards`);
    }
  }
  return patterns?.length ? patterns : (prefixes ?? []).map((prefix) => `${prefix}*`);
}

function checkTogether(rules: readonly LifecycleRule[]): void {
  const repeated = (values: readonly (string | number)[]) => values.find((value, i) => values.indexOf(value) !== i);
  const priority = repeated(rules.map((rule) => rule.priority));
  if (priority !== undefined) throw invalid(`two rules have the rulePriority ${priority}`);
  const tags = repeated(rules.flatMap(({ selection }) => [...new Set(selection.patterns)]));
  if (tags !== undefined) throw invalid(`two rules select the tags "${tags}"`);
  if (rules.filter(({ selection }) => selection.tagStatus === 'untagged').length > 1) {
    throw invalid('only one rule may select untagged images');
  }
  const any = rules.findIndex(({ selection }) => selection.tagStatus === 'any');
  if (any >= 0 && any < rules.length - 1) throw invalid('a rule with tagStatus "any" has the highest rulePriority');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('it is not JSON');
  }
}

function object(value: unknown, where: string, members: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${where} is an object`);
  const unknown = Object.keys(value).find((name) => !members.includes(name));
  if (unknown !== undefined) throw invalid(`${where} has an unknown member "${unknown}"`);
  return value as Fields;
}

function texts(value: unknown, where: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some((text) => typeof text !== 'string' || text === '')) {
    throw invalid(`${where} is a list of texts`);
  }
  return value as readonly string[];
}

const isPositive = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1;

const invalid = (problem: string) =>
  constraint('LifecyclePolicyText', `Lifecycle policy validation failure: ${problem}`);
