import type { Clock } from '../../base/clock.ts';
import type { RegistryAuth, RegistryLocations } from '../images.ts';
import { Authorizer } from './authorizer.ts';
import { type Address, type HttpConnections, isLoopback } from './http-connection.ts';
import { answerError } from './registry-errors.ts';
import { untilAborted } from './until-aborted.ts';

/** A registry that has answered: how it is reached and what it wants to see. */
export interface Endpoint {
  readonly address: Address;
  readonly authorizer: Authorizer;
}

export interface EndpointsOptions {
  readonly connections: HttpConnections;
  readonly clock: Clock;
  readonly locations: RegistryLocations | undefined;
}

/** Docker Hub is not where its name says. */
const HUB = { domain: 'docker.io', origin: 'https://registry-1.docker.io' } as const;
const KEPT_MS = 10 * 60_000;

/** Finds registries: asks once how one is spoken to, and remembers it for a while. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #known = new Map<string, { readonly endpoint: Promise<Endpoint>; readonly until: number }>();

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  /** `domain` is a registry's name, or the base URL of a mirror. */
  find(domain: string, auth: RegistryAuth | undefined, signal: AbortSignal | undefined): Promise<Endpoint> {
    const { clock } = this.#options;
    const key = JSON.stringify([domain, auth ?? null]);
    const known = this.#known.get(key);
    if (known && known.until > clock.now()) return untilAborted(known.endpoint, signal);
    for (const [other, { until }] of this.#known) if (until <= clock.now()) this.#known.delete(other);
    const endpoint = this.#ask(domain, auth);
    this.#known.set(key, { endpoint, until: clock.now() + KEPT_MS });
    endpoint.catch(() => this.#known.delete(key));
    return untilAborted(endpoint, signal);
  }

  async #ask(domain: string, auth: RegistryAuth | undefined): Promise<Endpoint> {
    const { connections, clock } = this.#options;
    const candidates = this.#addresses(domain);
    for (const [i, address] of candidates.entries()) {
      const isLast = i === candidates.length - 1;
      const authorizer = new Authorizer({ connections, clock, auth, locate: (url) => this.#locate(url) });
      try {
        const response = await connections.send(address, { method: 'GET', path: '/v2/' });
        const { statusCode = 0, headers } = response;
        if (statusCode === 401) {
          response.resume();
          authorizer.challenged(headers['www-authenticate'] ?? 'none');
        } else if (statusCode !== 200) {
          // A server that waits for TLS answers so to HTTP; and there may be no registry at all.
          if (!isLast && statusCode === 400) {
            response.destroy();
            continue;
          }
          throw await answerError(response, `${address.origin}/v2/`);
        }
        response.resume();
        return { address, authorizer };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (isLast || (code !== 'ECONNRESET' && code !== 'HPE_INVALID_CONSTANT' && code !== 'EPROTO')) throw error;
      }
    }
    throw new Error(`no address of ${domain}`);
  }

  /** On this machine a registry seldom has a certificate; elsewhere nothing is sent unencrypted. */
  #addresses(domain: string): readonly Address[] {
    if (/^https?:\/\//.test(domain)) return [{ origin: new URL(domain).origin }];
    const located = this.#options.locations?.locate(domain);
    if (located) return [addressOf(located)];
    if (domain === HUB.domain) return [{ origin: HUB.origin }];
    const isLocal = isLoopback(new URL(`http://${domain}`).hostname);
    return isLocal
      ? [{ origin: `http://${domain}` }, { origin: `https://${domain}` }]
      : [{ origin: `https://${domain}` }];
  }

  #locate(url: URL): Address {
    const located = this.#options.locations?.locate(url.host);
    return located ? addressOf(located) : { origin: url.origin };
  }
}

function addressOf({ url, host, ca }: NonNullable<ReturnType<RegistryLocations['locate']>>): Address {
  return { origin: new URL(url).origin, ...(host !== undefined && { host }), ...(ca !== undefined && { ca }) };
}
