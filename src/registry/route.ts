/** What a path of the registry is about. Names are as the client wrote them, decoded, not yet checked. */
export type Route =
  | { readonly kind: 'base' | 'token' | 'catalog' | 'unknown' }
  | { readonly kind: 'uploads' | 'tags'; readonly name: string }
  | { readonly kind: 'upload'; readonly name: string; readonly id: string }
  | { readonly kind: 'blob' | 'referrers'; readonly name: string; readonly digest: string }
  | { readonly kind: 'manifest'; readonly name: string; readonly reference: string };

const unknown: Route = { kind: 'unknown' };

/**
 * Reads a path from its end, as a repository may be called `blobs` or `manifests`. Source: OCI Distribution Specification 1.1,
 * "Endpoints".
 */
export function readRoute(path: string): Route {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' };
  const segments = decode(path.slice('/v2/'.length));
  if (!segments) return unknown;
  const [first] = segments;
  if (segments.length === 1) {
    if (first === '_catalog') return { kind: 'catalog' };
    return first === 'token' ? { kind: 'token' } : unknown;
  }
  const [before, kind, last] = [segments.at(-3), segments.at(-2), segments.at(-1)!];
  const name = (from: number) => segments.slice(0, from).join('/');
  if (before === 'blobs' && kind === 'uploads') {
    return last === '' ? { kind: 'uploads', name: name(-3) } : { kind: 'upload', name: name(-3), id: last };
  }
  switch (kind) {
    case 'blobs':
      return last === 'uploads' ? { kind: 'uploads', name: name(-2) } : { kind: 'blob', name: name(-2), digest: last };
    case 'manifests':
      return { kind: 'manifest', name: name(-2), reference: last };
    case 'referrers':
      return { kind: 'referrers', name: name(-2), digest: last };
    case 'tags':
      return last === 'list' ? { kind: 'tags', name: name(-2) } : unknown;
    default:
      return unknown;
  }
}

/** The path's segments; `undefined` when one is not well encoded, or hides a slash. */
function decode(path: string): readonly string[] | undefined {
  const segments = path.split('/');
  if (!path.includes('%')) return segments;
  try {
    const decoded = segments.map(decodeURIComponent);
    return decoded.some((segment) => segment.includes('/')) ? undefined : decoded;
  } catch {
    return undefined;
  }
}
