import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const systemBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Writes what functions are to trust into `directory`: the local authority's certificate (`authority.pem`), and with the
 * system's (`bundle.pem`) for the variables that replace a library's own trust store. Returns the directory.
 */
export function writeCertificates(directory: string, caFile: string | undefined): string | undefined {
  if (!caFile) return undefined;
  const authority = readFileSync(caFile, 'utf8');
  const system = systemBundles.map(read).find((text) => text !== undefined) ?? '';
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileSync(join(directory, 'authority.pem'), authority, { mode: 0o644 });
  writeFileSync(join(directory, 'bundle.pem'), `${authority}\n${system}`, { mode: 0o644 });
  return directory;
}
