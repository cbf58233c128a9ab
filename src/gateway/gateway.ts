import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../base/logger.ts';
import { isForeignPage } from './browser-requests.ts';
import type { LocalAuthority } from './certificates/authority.ts';
import type { FrontEnd } from './front-end.ts';
import { isLoopback, knownHosts } from './known-hosts.ts';
import { DEFAULT_LIMITS, type GatewayLimits } from './limits.ts';
import { Listener } from './listener.ts';
import {
  ADMIN_IS_LOCAL,
  bodyTooLarge,
  foreignHost,
  foreignOrigin,
  INTERNAL_FAILURE,
  notServed,
  type Refusal,
  refuse,
} from './refusal.ts';

export interface GatewayOptions {
  /** Asked in order; the first that matches answers. */
  readonly frontEnds: readonly FrontEnd[];
  /** What answers under `/_kobune/`. */
  readonly admin: FrontEnd;
  readonly authority: LocalAuthority;
  readonly logger: Logger;
  readonly limits?: Partial<GatewayLimits>;
  /** Host names (and their subdomains) that clients may use, besides IP addresses, localhost and AWS's own names. */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call, besides those served from this machine's loopback. */
  readonly origins?: readonly string[];
  /** Every request's signature is verified, so neither host name nor origin need be checked. */
  readonly enforced: boolean;
}

/**
 * Who arrives at a port. `host`: programs of this machine and, when bound to another address, of its network.
 * `sandbox`: functions and containers, which must never reach the admin API.
 */
export type Audience = 'host' | 'sandbox';

/** An address, a unix socket, or a socket that listens already. */
export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number };

export interface OpenPort {
  readonly port: number;
  close(graceMs: number): Promise<void>;
}

/** The front door: hands each request to the interface that it is for. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #isKnownHost: (host: string | undefined) => boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #ports = new Set<OpenPort>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#isKnownHost = knownHosts(options.hosts ?? []);
    this.#origins = new Set(options.origins);
  }

  /** Opens a port (0: the system chooses). Rejects with the system's error, such as `EADDRINUSE`. */
  async listen(address: ListenAddress, audience: Audience): Promise<OpenPort> {
    const { authority, logger } = this.#options;
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response, audience);
    const listener = new Listener({ answer, authority, limits: this.#limits, logger });
    const open: OpenPort = {
      port: await listener.open(address),
      close: async (graceMs) => {
        this.#ports.delete(open);
        await listener.close(graceMs);
      },
    };
    this.#ports.add(open);
    return open;
  }

  /** Takes nothing new, lets requests under way end for at most `graceMs`, then cuts them. */
  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#ports].map((port) => port.close(graceMs)));
  }

  #answer(request: IncomingMessage, response: ServerResponse, audience: Audience): void {
    try {
      const target = this.#route(request, audience);
      if ('status' in target) {
        refuse(response, target);
        return;
      }
      if (request.headers.expect !== undefined) response.writeContinue();
      target.handle(request, response);
    } catch (error) {
      this.#options.logger.error('request failed', { error: error instanceof Error ? error.stack : String(error) });
      if (response.headersSent) response.destroy();
      else refuse(response, INTERNAL_FAILURE);
    }
  }

  #route(request: IncomingMessage, audience: Audience): FrontEnd | Refusal {
    const { admin, frontEnds, enforced } = this.#options;
    const { headers, url = '/' } = request;
    if (audience === 'host' && !enforced) {
      if (!this.#isKnownHost(headers.host)) return foreignHost(headers.host!);
      if (isForeignPage(request, this.#origins)) return foreignOrigin(headers.origin);
    }
    if (Number(headers['content-length']) > this.#limits.bodyBytes) return bodyTooLarge(this.#limits.bodyBytes);
    if (admin.matches(request)) {
      const local = audience === 'host' && isLoopback(request.socket.remoteAddress);
      return local && this.#isKnownHost(headers.host) ? admin : ADMIN_IS_LOCAL;
    }
    for (const frontEnd of frontEnds) if (frontEnd.matches(request)) return frontEnd;
    return notServed(
      `${request.method} ${url.split('?')[0]}`,
      frontEnds.map(({ name }) => name),
    );
  }
}
