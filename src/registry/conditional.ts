import type { RegistryRequest } from './registry-request.ts';

/** What is asked for of a blob: all of it, a part, or one that it does not have. */
export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' };

/** Content named by a digest never changes: the digest is its tag. */
export const entityTag = (digest: string): string => `"${digest}"`;

/** Source: RFC 9110 section 13.1.2. */
export function isNotModified(request: RegistryRequest, digest: string): boolean {
  const header = request.header('if-none-match');
  return header !== undefined && (header.trim() === '*' || tagsOf(header).includes(digest));
}

/** Whether what has this digest (`undefined`: nothing) may be replaced. Source: RFC 9110 sections 13.1.1, 13.1.2. */
export function mayReplace(request: RegistryRequest, digest: string | undefined): boolean {
  const names = (header: string) => digest !== undefined && (header.trim() === '*' || tagsOf(header).includes(digest));
  const [match, noneMatch] = [request.header('if-match'), request.header('if-none-match')];
  return (match === undefined || names(match)) && (noneMatch === undefined || !names(noneMatch));
}

/** The digests in a list of entity tags, weak ones too. */
function tagsOf(header: string): readonly string[] {
  return [...header.matchAll(/(?:W\/)?"([^"]*)"/g)].map((match) => match[1]!);
}

/**
 * One range of bytes is answered; several, or what is not understood, with everything; one that ends before it begins is
 * rejected, as the conformance suite of the OCI wants it. Source: RFC 9110 section 14.2.
 */
export function selectBytes(request: RegistryRequest, digest: string, size: number): Selection {
  // "GET is the only method for which range handling is defined."
  if (request.method !== 'GET') return { kind: 'all' };
  const match = /^bytes=(\d*)-(\d*)$/.exec(request.header('range')?.replaceAll(' ', '') ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return { kind: 'all' };
  const condition = request.header('if-range');
  if (condition !== undefined && condition.trim() !== entityTag(digest)) return { kind: 'all' };
  const [, first, last] = match as unknown as [string, string, string];
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: size - length, end: size - 1 };
  }
  const start = Number(first);
  if (start >= size || (last !== '' && Number(last) < start)) return { kind: 'unsatisfiable' };
  return { kind: 'part', start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}
