import { parseArn } from '../base/arn.ts';

/** True for endpoints outside, which may take their time: URLs, and the API destinations of EventBridge. */
export function isEndpoint(target: string): boolean {
  return /^https?:/i.test(target) || parseArn(target)?.resource.startsWith('api-destination/') === true;
}

/** What kind of target it is: the service of an ARN (`sqs`), or the scheme of a URI (`https`); `undefined` when neither. */
export function targetKind(target: string): string | undefined {
  return parseArn(target)?.service ?? /^([a-z][a-z0-9+.-]*):/i.exec(target)?.[1]?.toLowerCase();
}
