import { readFile } from 'node:fs/promises';
import tls, { createSecureContext, type SecureContext } from 'node:tls';

/** Where systems keep the certificates that they trust: Debian, Fedora, SUSE, Alpine. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** What a registry's certificate is verified with: the system's authorities, and those that are told. Each is made once. */
export class TrustedCertificates {
  readonly #contexts = new Map<string, Promise<SecureContext>>();

  /** `ca`: PEM. */
  context(ca = ''): Promise<SecureContext> {
    let context = this.#contexts.get(ca);
    if (!context) {
      context = systemCertificates().then((system) =>
        createSecureContext({ ca: ca === '' ? system : [...system, ca] }),
      );
      this.#contexts.set(ca, context);
    }
    return context;
  }
}

async function systemCertificates(): Promise<string[]> {
  for (const path of [process.env.SSL_CERT_FILE ?? '', ...SYSTEM_FILES]) {
    try {
      if (path !== '') return [await readFile(path, 'utf8')];
    } catch {
      // Another system keeps them elsewhere.
    }
  }
  return [...tls.rootCertificates];
}
