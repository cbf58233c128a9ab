import type { WireRequest } from '../routing/wire-request.ts';
import type { Signature } from './signature.ts';

/**
 * The text that was signed. Source: IAM User Guide, "Create a signed AWS API request", step 1. S3 encodes the path
 * once and takes it as it is; every other service encodes it twice and resolves dots and doubled slashes.
 */
export function canonicalRequest(request: WireRequest, signature: Signature, payloadHash: string, s3: boolean): string {
  let headers = '';
  for (const name of signature.signedHeaders) headers += `${name}:${canonicalHeader(request, name)}\n`;
  return `${request.method}\n${canonicalPath(request.path, s3)}\n${canonicalQuery(request.rawQuery)}\n${headers}\n${signature.signedHeaders.join(';')}\n${payloadHash}`;
}

function canonicalHeader(request: WireRequest, name: string): string {
  const value = request.header(name) ?? '';
  return value.trim().replace(/\s+/g, ' ');
}

const plainPath = /^[A-Za-z0-9\-._~/]*$/;

function canonicalPath(path: string, s3: boolean): string {
  if (s3) return plainPath.test(path) ? path : encode(decode(path), true);
  const normalized = path.includes('//') || path.includes('/.') ? normalize(path) : path;
  return plainPath.test(normalized) ? normalized : encode(normalized, true);
}

function normalize(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return `/${segments.join('/')}${segments.length > 0 && path.endsWith('/') ? '/' : ''}`;
}

function canonicalQuery(raw: string): string {
  if (raw === '') return '';
  const pairs: [string, string][] = [];
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = encode(decode(equals < 0 ? pair : pair.slice(0, equals)), false);
    if (name === 'X-Amz-Signature') continue;
    pairs.push([name, equals < 0 ? '' : encode(decode(pair.slice(equals + 1)), false)]);
  }
  pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function encode(text: string, keepSlashes: boolean): string {
  const encoded = encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return keepSlashes ? encoded.replaceAll('%2F', '/') : encoded;
}
