import { parseArn } from '../../base/arn.ts';
import type { RequestContext } from '../service.ts';
import { invalidParameter } from './errors.ts';
import type { GroupId } from './records.ts';

const DAY_MS = 86_400_000;
const TOKEN_LIFETIME_MS = DAY_MS;

/** 1–512 of `a-zA-Z0-9_-/.#` (API Reference, "CreateLogGroup"). */
export function checkGroupName(name: string): string {
  if (/^[\w./#-]{1,512}$/.test(name)) return name;
  throw invalidParameter(
    `1 validation error detected: Value '${name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+`,
  );
}

/** 1–512 characters, no `:` and no `*` (API Reference, "CreateLogStream"). */
export function checkStreamName(name: string): string {
  if (/^[^:*]{1,512}$/s.test(name)) return name;
  throw invalidParameter(
    `1 validation error detected: Value '${name}' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*`,
  );
}

/** Exactly one of name and identifier (a name or an ARN, in the caller's account and region). */
export function groupOf(
  input: { readonly logGroupName?: string | undefined; readonly logGroupIdentifier?: string | undefined },
  context: Pick<RequestContext, 'account' | 'region'>,
): GroupId {
  if (input.logGroupName !== undefined && input.logGroupIdentifier !== undefined) {
    throw invalidParameter('LogGroup name and LogGroup ARN are mutually exclusive parameters.');
  }
  const identifier = input.logGroupName ?? input.logGroupIdentifier;
  if (identifier === undefined) throw invalidParameter('Either logGroupName or logGroupIdentifier must be given.');
  if (input.logGroupIdentifier?.startsWith('arn:')) return groupOfArn(input.logGroupIdentifier, context);
  return { account: context.account, region: context.region, group: checkGroupName(identifier) };
}

/** `arn:aws:logs:region:account:log-group:NAME`, with or without `:*`. */
export function groupOfArn(text: string, context: Pick<RequestContext, 'account' | 'region'>): GroupId {
  const arn = parseArn(text);
  const match = /^log-group:([^:]+)(:\*)?$/.exec(arn?.resource ?? '');
  if (arn?.service !== 'logs' || !match) throw invalidParameter(`The specified ARN is invalid: ${text}`);
  if (arn.account !== context.account || arn.region !== context.region) {
    throw invalidParameter(`The log group must be in the caller's account and region: ${text}`);
  }
  return { account: arn.account, region: arn.region, group: checkGroupName(match[1]!) };
}

/** ARN without the trailing `:*`. */
export function groupArn({ account, region, group }: GroupId): string {
  return `arn:aws:logs:${region}:${account}:log-group:${group}`;
}

export function checkLimit(limit: number | undefined, fallback: number, maximum: number): number {
  const value = limit ?? fallback;
  if (Number.isInteger(value) && value >= 1 && value <= maximum) return value;
  throw invalidParameter(
    `1 validation error detected: Value '${value}' at 'limit' failed to satisfy constraint: Member must have value between 1 and ${maximum}`,
  );
}

/** An opaque paging token; good for 24 hours. */
export function writeToken(content: unknown, now: number): string {
  return Buffer.from(JSON.stringify([now, content])).toString('base64url');
}

/** What `writeToken` was given. Throws InvalidParameterException for anything else. */
export function readToken<T>(token: string, now: number, isContent: (content: unknown) => content is T): T {
  try {
    const [made, content] = JSON.parse(Buffer.from(token, 'base64url').toString('utf8')) as [number, unknown];
    if (typeof made === 'number' && now - made <= TOKEN_LIFETIME_MS && isContent(content)) return content;
  } catch {
    // Falls through: not a token of ours.
  }
  throw invalidParameter('The specified nextToken is invalid.');
}

/** The oldest timestamp that retention still shows. */
export function retentionStart(retentionInDays: number | undefined, now: number): number {
  return retentionInDays === undefined ? 0 : now - retentionInDays * DAY_MS;
}

/** Tags as AWS allows them: at most 50, keys 1–128, values to 256 characters, `aws:` reserved. */
export function checkTags(tags: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(tags)) {
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || /^aws:/i.test(key)) {
      throw invalidParameter(`Invalid tag key: ${key}`);
    }
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) throw invalidParameter(`Invalid value of tag ${key}`);
  }
  if (Object.keys(tags).length > 50) throw invalidParameter('A log group can have at most 50 tags.');
  return tags;
}
