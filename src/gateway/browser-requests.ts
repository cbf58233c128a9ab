import type { IncomingMessage } from 'node:http';
import { isLoopback } from './known-hosts.ts';

/**
 * True when a web page of another site makes this request in a way that could change something. Without enforcement any
 * credentials are accepted, so a page that the user happens to visit must not be able to call an API on 127.0.0.1.
 * Browsers send `Origin` with every such request, except for GETs, of which only the query protocol's change anything.
 * Source: Fetch Standard, "`Origin` header"; Fetch Metadata Request Headers.
 */
export function isForeignPage(request: IncomingMessage, allowedOrigins: ReadonlySet<string>): boolean {
  const { origin } = request.headers;
  if (origin !== undefined) return !allowedOrigins.has(origin) && !isOwnOrigin(origin);
  return request.headers['sec-fetch-site'] === 'cross-site' && /[?&]Action=/.test(request.url ?? '');
}

function isOwnOrigin(origin: string): boolean {
  const parsed = URL.parse(origin);
  if (parsed === null) return false;
  const { hostname } = parsed;
  return hostname === 'localhost' || hostname.endsWith('.localhost') || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
