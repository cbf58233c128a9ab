import { compileFilterPolicy, InvalidPatternError, type MessageAttribute } from '../../events/index.ts';
import { invalidParameter } from './errors.ts';

export type FilterScope = 'MessageAttributes' | 'MessageBody';

/** Tells whether a subscription is to get a message. `text` is what is sent to it. */
export type MessageFilter = (attributes: Readonly<Record<string, MessageAttribute>>, text: string) => boolean;

/** Throws InvalidParameter when a text is no filter policy. */
export function checkFilterPolicy(policy: string, scope: FilterScope, prefix: string): void {
  try {
    compileFilterPolicy(policy, scope);
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    const reason = error.message.replace(/^(Invalid parameter: )?(FilterPolicy: )?/, '');
    throw invalidParameter(`${prefix}FilterPolicy: ${reason}`);
  }
}

/** A policy that was checked, ready to be asked. A body that is not JSON passes no filter on bodies. */
export function messageFilter(policy: string, scope: FilterScope): MessageFilter {
  const compiled = compileFilterPolicy(policy, scope);
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
