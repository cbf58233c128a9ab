import { isIP } from 'node:net';

/** Names that AWS's clients use: inside a sandbox, or with DNS pointed at Kobune. */
const KNOWN_SUFFIXES = ['.localhost', '.amazonaws.com', '.amazonaws.com.cn', '.on.aws', '.api.aws'];
const CACHE_SIZE = 1024;

/**
 * Decides whether a `Host` header is one that Kobune answers to. A web page can point its own DNS name at 127.0.0.1 and
 * so reach a service on it as its own origin ("DNS rebinding"); such a request carries the page's name. IP addresses
 * cannot be rebound.
 */
export function knownHosts(further: readonly string[]): (host: string | undefined) => boolean {
  const named = new Set(['localhost', ...further.map((name) => name.toLowerCase())]);
  const cache = new Map<string, boolean>();
  const decide = (host: string): boolean => {
    const name = host
      .toLowerCase()
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .replace(/\.$/, '');
    return (
      isIP(name) !== 0 ||
      named.has(name) ||
      KNOWN_SUFFIXES.some((suffix) => name.endsWith(suffix)) ||
      further.some((suffix) => name.endsWith(`.${suffix.toLowerCase()}`))
    );
  };
  return (host) => {
    if (host === undefined) return true;
    let known = cache.get(host);
    if (known === undefined) {
      known = decide(host);
      if (cache.size >= CACHE_SIZE) cache.clear();
      cache.set(host, known);
    }
    return known;
  };
}

/** True for the addresses of the machine's own loopback. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}
