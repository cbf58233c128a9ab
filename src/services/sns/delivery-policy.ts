import { invalidParameter } from './errors.ts';

/** How deliveries are repeated. Delays are seconds. Source: SNS Developer Guide, "Amazon SNS message delivery retries". */
export interface RetryPolicy {
  readonly minDelayTarget: number;
  readonly maxDelayTarget: number;
  readonly numRetries: number;
  readonly numNoDelayRetries: number;
  readonly numMinDelayRetries: number;
  readonly numMaxDelayRetries: number;
  readonly backoffFunction: BackoffFunction;
}

export type BackoffFunction = 'linear' | 'arithmetic' | 'geometric' | 'exponential';

/** What a DeliveryPolicy says, of a topic or a subscription. */
export interface DeliveryRules {
  readonly retry?: RetryPolicy | undefined;
  readonly maxReceivesPerSecond?: number | undefined;
  readonly headerContentType?: string | undefined;
  /** Of a topic: its subscriptions' own policies do not count. */
  readonly disableSubscriptionOverrides?: boolean;
}

/** What counts for one subscription. */
export interface EffectiveDelivery {
  readonly retry: RetryPolicy;
  readonly maxReceivesPerSecond: number | undefined;
  readonly headerContentType: string;
}

const DEFAULT_CONTENT_TYPE = 'text/plain; charset=UTF-8';
const DEFAULT_RETRY: RetryPolicy = {
  minDelayTarget: 20,
  maxDelayTarget: 20,
  numRetries: 3,
  numMaxDelayRetries: 0,
  numNoDelayRetries: 0,
  numMinDelayRetries: 0,
  backoffFunction: 'linear',
};

/** For SQS and Lambda: 100,015 attempts over 23 days. */
export const MANAGED_RETRY: RetryPolicy = {
  minDelayTarget: 1,
  maxDelayTarget: 20,
  numRetries: 100_015,
  numNoDelayRetries: 3,
  numMinDelayRetries: 2,
  numMaxDelayRetries: 100_000,
  backoffFunction: 'exponential',
};
/** For e-mail, text messages and mobile push: 50 attempts over 6 hours. */
export const CUSTOMER_RETRY: RetryPolicy = {
  minDelayTarget: 10,
  maxDelayTarget: 600,
  numRetries: 50,
  numNoDelayRetries: 0,
  numMinDelayRetries: 2,
  numMaxDelayRetries: 38,
  backoffFunction: 'exponential',
};

type Fields = Readonly<Record<string, unknown>>;
const BACKOFF_FUNCTIONS: readonly unknown[] = ['linear', 'arithmetic', 'geometric', 'exponential'];
/** Seconds; the whole of an HTTP endpoint's retries takes no longer. */
export const LONGEST_HTTP_RETRY = 3600;

/** Reads a topic's DeliveryPolicy. Throws InvalidParameter; `prefix` goes before the reason. */
export function readTopicPolicy(text: string, prefix = ''): DeliveryRules {
  const fail = failure(prefix);
  const document = parse(text, fail);
  knownMembers(document, ['http'], '', fail);
  const http = objectAt(document, 'http', fail);
  knownMembers(
    http,
    [
      'defaultHealthyRetryPolicy',
      'disableSubscriptionOverrides',
      'defaultThrottlePolicy',
      'defaultRequestPolicy',
      'defaultSicklyRetryPolicy',
    ],
    'http.',
    fail,
  );
  return {
    ...rules(http, ['defaultHealthyRetryPolicy', 'defaultThrottlePolicy', 'defaultRequestPolicy'], 'http.', fail),
    disableSubscriptionOverrides: http.disableSubscriptionOverrides === true,
  };
}

/** Reads a subscription's DeliveryPolicy. Throws InvalidParameter. */
export function readSubscriptionPolicy(text: string, prefix = ''): DeliveryRules {
  const fail = failure(prefix);
  const document = parse(text, fail);
  const members = ['healthyRetryPolicy', 'sicklyRetryPolicy', 'throttlePolicy', 'requestPolicy', 'guaranteed'];
  knownMembers(document, members, '', fail);
  return rules(document, ['healthyRetryPolicy', 'throttlePolicy', 'requestPolicy'], '', fail);
}

/** The subscription's own rules, else its topic's, else the defaults. */
export function effectiveDelivery(topic: DeliveryRules | undefined, own: DeliveryRules | undefined): EffectiveDelivery {
  const mine = topic?.disableSubscriptionOverrides ? undefined : own;
  return {
    retry: mine?.retry ?? topic?.retry ?? DEFAULT_RETRY,
    maxReceivesPerSecond: mine?.maxReceivesPerSecond ?? topic?.maxReceivesPerSecond,
    headerContentType: mine?.headerContentType ?? topic?.headerContentType ?? DEFAULT_CONTENT_TYPE,
  };
}

/** A topic's `EffectiveDeliveryPolicy`. */
export function topicPolicyText(rules: DeliveryRules | undefined): string {
  const { retry, maxReceivesPerSecond, headerContentType } = effectiveDelivery(rules, undefined);
  return JSON.stringify({
    http: {
      defaultHealthyRetryPolicy: retry,
      disableSubscriptionOverrides: rules?.disableSubscriptionOverrides ?? false,
      ...(maxReceivesPerSecond === undefined ? {} : { defaultThrottlePolicy: { maxReceivesPerSecond } }),
      defaultRequestPolicy: { headerContentType },
    },
  });
}

/** A subscription's `EffectiveDeliveryPolicy`. */
export function subscriptionPolicyText({ retry, maxReceivesPerSecond, headerContentType }: EffectiveDelivery): string {
  return JSON.stringify({
    healthyRetryPolicy: retry,
    sicklyRetryPolicy: null,
    throttlePolicy: maxReceivesPerSecond === undefined ? null : { maxReceivesPerSecond },
    requestPolicy: { headerContentType },
    guaranteed: false,
  });
}

/**
 * Milliseconds before retry `retry` (1-based): none in the immediate phase, then the least delay, then growing from the
 * least to the most by the backoff function, then the most. AWS documents the functions by a graph only, in which they go
 * from the least delay to the most as these do.
 */
export function retryDelay(policy: RetryPolicy, retry: number): number {
  const { minDelayTarget: least, maxDelayTarget: most } = policy;
  let index = retry - 1 - policy.numNoDelayRetries;
  if (index < 0) return 0;
  if (index < policy.numMinDelayRetries) return least * 1000;
  index -= policy.numMinDelayRetries;
  const steps = policy.numRetries - policy.numNoDelayRetries - policy.numMinDelayRetries - policy.numMaxDelayRetries;
  if (index >= steps) return most * 1000;
  if (steps === 1) return least * 1000;
  return Math.round((least + (most - least) * growth(policy, index, steps - 1)) * 1000);
}

/** From 0 for the first retry of the phase to 1 for the last. */
function growth({ backoffFunction, minDelayTarget, maxDelayTarget }: RetryPolicy, index: number, last: number): number {
  if (maxDelayTarget === minDelayTarget) return 0;
  switch (backoffFunction) {
    case 'linear':
      return index / last;
    case 'arithmetic':
      return (index * (index + 1)) / (last * (last + 1));
    case 'geometric': {
      const ratio = maxDelayTarget / minDelayTarget;
      return (ratio ** (index / last) - 1) / (ratio - 1);
    }
    case 'exponential':
      return (2 ** index - 1) / (2 ** last - 1);
  }
}

type Fail = (reason: string) => never;

function failure(prefix: string): Fail {
  return (reason) => {
    throw invalidParameter(`${prefix}DeliveryPolicy: ${reason}`);
  };
}

function parse(text: string, fail: Fail): Fields {
  try {
    const document: unknown = JSON.parse(text);
    if (isObject(document)) return document;
  } catch {
    // Said below, as for any other text that is no object.
  }
  return fail('failed to parse JSON.');
}

function knownMembers(fields: Fields, known: readonly string[], path: string, fail: Fail): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) fail(`unexpected JSON member: ${path}${unknown}`);
}

function rules(
  fields: Fields,
  [retryName, throttleName, requestName]: readonly [string, string, string],
  path: string,
  fail: Fail,
): DeliveryRules {
  const retry = fields[retryName];
  const throttle = objectAt(fields, throttleName, fail);
  const request = objectAt(fields, requestName, fail);
  knownMembers(throttle, ['maxReceivesPerSecond'], `${path}${throttleName}.`, fail);
  knownMembers(request, ['headerContentType'], `${path}${requestName}.`, fail);
  const rate = throttle.maxReceivesPerSecond ?? undefined;
  if (rate !== undefined && !(Number.isInteger(rate) && (rate as number) >= 1)) {
    fail(`${path}${throttleName}.maxReceivesPerSecond must be an integer greater than or equal to 1`);
  }
  const type = request.headerContentType ?? undefined;
  if (
    type !== undefined &&
    !(typeof type === 'string' && /^(application|message|text)\/[\w.+-]+\s*(;.*)?$/.test(type))
  ) {
    fail(`${path}${requestName}.headerContentType is not supported`);
  }
  return {
    ...(retry === undefined || retry === null ? {} : { retry: readRetry(retry, `${path}${retryName}`, fail) }),
    ...(rate === undefined ? {} : { maxReceivesPerSecond: rate as number }),
    ...(type === undefined ? {} : { headerContentType: type as string }),
  };
}

function readRetry(given: unknown, path: string, fail: Fail): RetryPolicy {
  if (!isObject(given)) return fail(`${path} must be a JSON object`);
  knownMembers(given, Object.keys(DEFAULT_RETRY), `${path}.`, fail);
  const number = (name: keyof RetryPolicy, least: number, most: number): number => {
    const value = given[name] ?? DEFAULT_RETRY[name];
    if (!Number.isInteger(value)) return fail(`${path}.${name} must be an integer`);
    if ((value as number) < least) return fail(`${path}.${name} must be greater than or equal to ${least}`);
    if ((value as number) > most) return fail(`${path}.${name} must be less than or equal to ${most}`);
    return value as number;
  };
  const policy: RetryPolicy = {
    minDelayTarget: number('minDelayTarget', 1, LONGEST_HTTP_RETRY),
    maxDelayTarget: number('maxDelayTarget', 1, LONGEST_HTTP_RETRY),
    numRetries: number('numRetries', 0, 100),
    numNoDelayRetries: number('numNoDelayRetries', 0, 100),
    numMinDelayRetries: number('numMinDelayRetries', 0, 100),
    numMaxDelayRetries: number('numMaxDelayRetries', 0, 100),
    backoffFunction: (given.backoffFunction ?? DEFAULT_RETRY.backoffFunction) as BackoffFunction,
  };
  if (!BACKOFF_FUNCTIONS.includes(policy.backoffFunction)) {
    return fail(`${path}.backoffFunction must be one of: ${BACKOFF_FUNCTIONS.join(', ')}`);
  }
  if (policy.maxDelayTarget < policy.minDelayTarget) {
    return fail(`${path}.maxDelayTarget must be greater than or equal to minDelayTarget`);
  }
  if (policy.numNoDelayRetries + policy.numMinDelayRetries + policy.numMaxDelayRetries > policy.numRetries) {
    return fail(`${path}.numRetries must be at least the sum of the retries of its phases`);
  }
  let total = 0;
  for (let retry = 1; retry <= policy.numRetries; retry += 1) total += retryDelay(policy, retry);
  if (total > LONGEST_HTTP_RETRY * 1000) {
    return fail(`${path}: the total retry time must be less than or equal to ${LONGEST_HTTP_RETRY} seconds`);
  }
  return policy;
}

function objectAt(fields: Fields, name: string, fail: Fail): Fields {
  const value = fields[name];
  if (value === undefined || value === null) return {};
  return isObject(value) ? value : fail(`${name} must be a JSON object`);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
