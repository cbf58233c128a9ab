import type { MessageAttribute } from '../../events/index.ts';
import { invalidParameter } from './errors.ts';

export type FilterScope = 'MessageAttributes' | 'MessageBody';

/** Tells whether a subscription is to get a message. `text` is what is sent to it. */
export type MessageFilter = (attributes: Readonly<Record<string, MessageAttribute>>, text: string) => boolean;

/** Loaded by the first policy: few subscriptions have one. */
const loadPatterns = () => import('../../events/patterns/index.ts');

/** Throws InvalidParameter when a text is no filter policy. */
export async function checkFilterPolicy(policy: string, scope: FilterScope, prefix: string): Promise<void> {
  const patterns = await loadPatterns();
  try {
    patterns.compileFilterPolicy(policy, scope);
  } catch (error) {
    if (!(error instanceof patterns.InvalidPatternError)) throw error;
    // The reason says already what it is about.
    throw invalidParameter(`${prefix}${error.message.replace(/^Invalid parameter: /, '')}`);
  }
}

/** A policy that was checked, ready to be asked. A body that is not JSON passes no filter on bodies. */
export async function messageFilter(policy: string, scope: FilterScope): Promise<MessageFilter> {
  const compiled = (await loadPatterns()).compileFilterPolicy(policy, scope);
  if (scope === 'MessageAttributes') return (attributes) => compiled.matchesAttributes(attributes);
  return (_, text) => {
    const body = parsed(text);
    return body !== undefined && compiled.matchesBody(body);
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
