import type { Principal, RequestContext } from '../service.ts';
import type { ConditionContext } from './policy/context.ts';

/** The global condition keys, worked out when a policy asks. IAM User Guide, "AWS global condition context keys". */
export class RequestConditions implements ConditionContext {
  readonly #principal: Principal;
  readonly #request: RequestContext;
  readonly #now: number;
  readonly #principalTags: Readonly<Record<string, string>>;
  #given: Map<string, readonly string[]> | undefined;
  #conditions: Readonly<Record<string, readonly string[]>> | undefined;

  constructor(
    principal: Principal,
    request: RequestContext,
    now: number,
    principalTags: Readonly<Record<string, string>>,
    conditions: Readonly<Record<string, readonly string[]>> | undefined,
  ) {
    this.#principal = principal;
    this.#request = request;
    this.#now = now;
    this.#principalTags = principalTags;
    this.#conditions = conditions;
  }

  values(key: string): readonly string[] | undefined {
    if (this.#conditions) {
      this.#given = new Map(Object.entries(this.#conditions).map(([name, values]) => [name.toLowerCase(), values]));
      this.#conditions = undefined;
    }
    const given = this.#given?.get(key);
    if (given) return given;
    if (key.startsWith('aws:principaltag/')) return this.#principalTag(key.slice('aws:principaltag/'.length));
    const value = this.#global(key);
    return value === undefined ? undefined : [value];
  }

  #principalTag(name: string): readonly string[] | undefined {
    const tags = { ...this.#principalTags, ...this.#principal.tags };
    for (const [key, value] of Object.entries(tags)) if (key.toLowerCase() === name) return [value];
    return undefined;
  }

  #global(key: string): string | undefined {
    const principal = this.#principal;
    const isPerson = principal.type === 'User' || principal.type === 'Root' || principal.type === 'AssumedRole';
    switch (key) {
      case 'aws:sourceip':
        return this.#request.sourceIp.replace(/^::ffff:/, '');
      case 'aws:securetransport':
        return String(this.#request.secure);
      case 'aws:currenttime':
        return new Date(this.#now).toISOString();
      case 'aws:epochtime':
        return String(Math.floor(this.#now / 1000));
      case 'aws:requestedregion':
        return this.#request.region;
      case 'aws:useragent':
        return this.#request.userAgent;
      case 'aws:principalarn':
        return isPerson ? (principal.roleArn ?? principal.arn) : undefined;
      case 'aws:principalaccount':
        return isPerson ? principal.account : undefined;
      case 'aws:principaltype':
        return principalType(principal);
      case 'aws:principalisawsservice':
        return String(principal.type === 'Service');
      case 'aws:principalservicename':
        return principal.service;
      case 'aws:sourcearn':
        return principal.source?.arn;
      case 'aws:sourceaccount':
        return principal.source?.account;
      case 'aws:userid':
        return isPerson ? principal.userId : 'anonymous';
      case 'aws:username':
        return principal.type === 'User' ? principal.arn.slice(principal.arn.lastIndexOf('/') + 1) : undefined;
      case 'aws:multifactorauthpresent':
        // Only temporary credentials have this key (IAM User Guide, "AWS global condition context keys").
        return principal.accessKeyId?.startsWith('ASIA') ? 'false' : undefined;
      case 'aws:viaawsservice':
        return 'false';
      default:
        return undefined;
    }
  }
}

function principalType({ type }: Principal): string {
  if (type === 'Root') return 'Account';
  return type === 'Service' ? 'AWSService' : type;
}
