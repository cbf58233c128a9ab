import { ServiceError } from '../../base/errors.ts';
import { constraint } from './errors.ts';
import type { ParameterRecord, PolicyRecord } from './records.ts';

const MAX_POLICIES = 10;
const MAX_LENGTH = 4096;
const UNIT_MS: Readonly<Record<string, number>> = { Hours: 3_600_000, Days: 86_400_000 };

interface PolicyText {
  readonly Type?: unknown;
  readonly Version?: unknown;
  readonly Attributes?: Readonly<Record<string, unknown>>;
}

/**
 * The policies of a request's `Policies`; none for an empty text, `{}`, `[]` or `[{}]`. Throws InvalidPolicyTypeException,
 * InvalidPolicyAttributeException, IncompatiblePolicyException, PoliciesLimitExceededException.
 * Source: Systems Manager User Guide, "Assigning parameter policies in Parameter Store".
 */
export function parsePolicies(text: string, now: number): readonly PolicyRecord[] {
  const list = readList(text);
  if (list.length > MAX_POLICIES) {
    throw new ServiceError(
      'PoliciesLimitExceededException',
      `A parameter can have at most ${MAX_POLICIES} policies; this request has ${list.length}.`,
    );
  }
  const policies = list.map((policy) => parsePolicy(policy, now));
  const expirations = policies.filter(({ type }) => type === 'Expiration');
  if (expirations.length > 1) throw incompatible('A parameter can have only one Expiration policy.');
  const notice = policies.find(({ type }) => type === 'ExpirationNotification');
  if (notice && !expirations[0]) {
    throw incompatible('An ExpirationNotification policy needs an Expiration policy on the same parameter.');
  }
  return policies;
}

function readList(text: string): readonly PolicyText[] {
  if (text.length > MAX_LENGTH) {
    throw constraint(text, 'policies', `Member must have length less than or equal to ${MAX_LENGTH}`);
  }
  if (text.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw attribute('Policies must be a JSON array.');
  }
  if (isObject(parsed) && Object.keys(parsed).length === 0) return [];
  if (!Array.isArray(parsed) || !parsed.every(isObject)) throw attribute('Policies must be a JSON array of policies.');
  return parsed.filter((policy) => Object.keys(policy).length > 0);
}

function parsePolicy(policy: PolicyText, now: number): PolicyRecord {
  const { Type: type, Version: version, Attributes: attributes } = policy;
  if (type !== 'Expiration' && type !== 'ExpirationNotification' && type !== 'NoChangeNotification') {
    throw new ServiceError(
      'InvalidPolicyTypeException',
      `The policy type ${JSON.stringify(type)} is not supported. Parameter Store supports the following policy types: Expiration, ExpirationNotification, and NoChangeNotification.`,
    );
  }
  if (version !== '1.0') throw attribute(`The Version of a policy must be "1.0", not ${JSON.stringify(version)}.`);
  if (!isObject(attributes)) throw attribute(`The policy ${type} has no Attributes.`);
  const text = JSON.stringify({ Type: type, Version: version, Attributes: attributes });
  if (type === 'Expiration') return { type, text, at: timestamp(attributes, now), finished: false };
  return { type, text, span: span(type, attributes), finished: false };
}

/** ISO_INSTANT or ISO_OFFSET_DATE_TIME, in the future. */
function timestamp(attributes: Readonly<Record<string, unknown>>, now: number): number {
  only(attributes, ['Timestamp']);
  const { Timestamp: text } = attributes;
  const match =
    typeof text === 'string' &&
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))(?::\d\d)?$/.exec(text);
  const at = match ? Date.parse(match[1]!) : Number.NaN;
  if (Number.isNaN(at)) throw attribute(`Timestamp must be a date and time with a zone, not ${JSON.stringify(text)}.`);
  if (at <= now) throw attribute(`The Timestamp of an Expiration policy must be in the future: ${text}`);
  return at;
}

function span(type: 'ExpirationNotification' | 'NoChangeNotification', attributes: Readonly<Record<string, unknown>>) {
  const name = type === 'ExpirationNotification' ? 'Before' : 'After';
  only(attributes, [name, 'Unit']);
  const { Unit: unit } = attributes;
  const value = String(attributes[name]);
  const unitMs = typeof unit === 'string' && Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
  if (unitMs === undefined) throw attribute(`Unit must be Days or Hours, not ${JSON.stringify(unit)}.`);
  if (!/^[1-9]\d{0,4}$/.test(value))
    throw attribute(`${name} must be a whole number from 1, not ${JSON.stringify(attributes[name])}.`);
  return Number(value) * unitMs;
}

function only(attributes: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const unknown = Object.keys(attributes).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw attribute(`The attribute ${unknown} is not valid; valid are ${known.join(' and ')}.`);
}

/** When a policy is carried out, epoch ms. */
export function policyDue(policy: PolicyRecord, all: readonly PolicyRecord[], modified: number): number {
  if (policy.type === 'Expiration') return policy.at!;
  if (policy.type === 'NoChangeNotification') return modified + policy.span!;
  return all.find(({ type }) => type === 'Expiration')!.at! - policy.span!;
}

/** When the parameter's next policy is carried out; `undefined` when there is nothing left to do. */
export function nextDue({ policies, latest }: Pick<ParameterRecord, 'policies' | 'latest'>): number | undefined {
  const times = policies.flatMap((policy) => (policy.finished ? [] : [policyDue(policy, policies, latest.modified)]));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** What stays of the policies when the parameter is changed: the time without a change begins anew. */
export function afterChange(policies: readonly PolicyRecord[]): readonly PolicyRecord[] {
  return policies.map((policy) => (policy.type === 'NoChangeNotification' ? { ...policy, finished: false } : policy));
}

export function policyOutput(policies: readonly PolicyRecord[]) {
  return policies.map(({ text, type, finished }) => ({
    PolicyText: text,
    PolicyType: type,
    PolicyStatus: finished ? 'Finished' : 'Pending',
  }));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function attribute(message: string): ServiceError {
  return new ServiceError('InvalidPolicyAttributeException', message);
}

function incompatible(message: string): ServiceError {
  return new ServiceError('IncompatiblePolicyException', message);
}
