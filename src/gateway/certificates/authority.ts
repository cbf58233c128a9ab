import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import tls, { createSecureContext, type SecureContext } from 'node:tls';
import type { Random } from '../../base/random.ts';
import { makeCertificate } from '../../base/x509/certificate.ts';

const DAY = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Browsers and Apple's platforms refuse server certificates that are valid for longer than 398 days. */
const LEAF_DAYS = 397;
const RENEW_DAYS = 30;
const AUTHORITY_NAME = 'Kobune local authority';
/** Most certificates kept; a client that asks for ever new names makes the oldest ones go. */
const CACHE_SIZE = 256;
const LEAF_SUFFIXES = ['.amazonaws.com', '.amazonaws.com.cn', '.on.aws', '.api.aws', '.localhost'];

export interface AuthorityFiles {
  /** The authority's own certificate, for `NODE_EXTRA_CA_CERTS`. */
  readonly certificate: string;
  /** That certificate and the public roots, for variables that replace the roots: `AWS_CA_BUNDLE`, `SSL_CERT_FILE` … */
  readonly bundle: string;
}

/** What a client shows and trusts, where Docker's clients look for it (`DOCKER_CERT_PATH`). */
export interface ClientFiles {
  /** Directory of `ca.pem`, `cert.pem` and `key.pem`. */
  readonly directory: string;
  /** The authority's certificate, as PEM. */
  readonly authority: string;
}

export interface AuthorityOptions {
  /** Where the key (mode 0600) and the certificates are kept. */
  readonly directory: string;
  readonly random: Random;
  /** Addresses and names, beyond localhost, that the certificate for clients without SNI is for. */
  readonly names?: () => readonly string[];
}

/** What a TLS server shows, as PEM. */
interface ServerIdentity {
  readonly key: string;
  readonly cert: string;
}

interface Issuer {
  readonly key: KeyObject;
  readonly certificate: string;
}

/**
 * A certificate authority of this data directory alone. Nothing is made or read before the first call, so that a start
 * does not pay for it. Certificates for `*.amazonaws.com` and the like are made as clients ask for them (SNI).
 */
export class LocalAuthority {
  readonly #options: AuthorityOptions;
  readonly #contexts = new Map<string, SecureContext>();
  #issuer: Promise<Issuer> | undefined;
  #leafKey: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;
  #files: Promise<AuthorityFiles> | undefined;

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  /** Paths of the files that clients trust, made now if need be. */
  files(): Promise<AuthorityFiles> {
    this.#files ??= this.#writeFiles();
    return this.#files;
  }

  /** Makes a new client certificate and writes it with its key (mode 0600) and the authority's certificate. */
  async clientFiles(): Promise<ClientFiles> {
    const issuer = await this.#loadIssuer();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = Date.now();
    const certificate = makeCertificate({
      subject: 'client',
      publicKey,
      issuer: AUTHORITY_NAME,
      issuerKey: issuer.key,
      notBefore: now - DAY,
      notAfter: now + LEAF_DAYS * DAY,
      serial: this.#options.random.bytes(16),
      use: { type: 'client' },
    });
    await this.#replace('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
    await this.#replace('cert.pem', certificate, 0o644);
    await this.#replace('ca.pem', issuer.certificate, 0o644);
    return { directory: this.#options.directory, authority: issuer.certificate };
  }

  /** Key and certificate for clients that ask for no name (those that connect to an IP address). */
  async identity(): Promise<ServerIdentity> {
    return this.#issue(await this.#loadIssuer(), this.#namesFor(undefined));
  }

  /** TLS context for a client that asked for `serverName` (SNI). */
  async contextFor(serverName: string): Promise<SecureContext> {
    const names = this.#namesFor(serverName.toLowerCase());
    const cacheKey = names.join(' ');
    const cached = this.#contexts.get(cacheKey);
    if (cached) return cached;
    const identity = this.#issue(await this.#loadIssuer(), names);
    const context = createSecureContext({ ...identity, minVersion: 'TLSv1.2' });
    if (this.#contexts.size >= CACHE_SIZE) this.#contexts.delete(this.#contexts.keys().next().value!);
    this.#contexts.set(cacheKey, context);
    return context;
  }

  /** A name of AWS's shares its parent's certificate (`*.parent`); any other name gets the one for this machine. */
  #namesFor(serverName: string | undefined): readonly string[] {
    const known = serverName !== undefined && LEAF_SUFFIXES.some((suffix) => serverName.endsWith(suffix));
    if (!known || !/^[a-z0-9_.-]{1,253}$/.test(serverName)) {
      return [...new Set(['localhost', '*.localhost', '127.0.0.1', '::1', ...(this.#options.names?.() ?? [])])];
    }
    const parent = serverName.slice(serverName.indexOf('.') + 1);
    return parent.includes('.') ? [`*.${parent}`, parent] : [serverName];
  }

  #issue(issuer: Issuer, names: readonly string[]): ServerIdentity {
    this.#leafKey ??= generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = Date.now();
    const certificate = makeCertificate({
      subject: names[0]!,
      publicKey: this.#leafKey.publicKey,
      issuer: AUTHORITY_NAME,
      issuerKey: issuer.key,
      notBefore: now - DAY,
      notAfter: now + LEAF_DAYS * DAY,
      serial: this.#options.random.bytes(16),
      use: { type: 'server', names: names.filter((name) => isIP(name) !== 0 || /^[\w.*-]+$/.test(name)) },
    });
    const key = this.#leafKey.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { key, cert: certificate + issuer.certificate };
  }

  #loadIssuer(): Promise<Issuer> {
    this.#issuer ??= this.#readIssuer().then((issuer) => issuer ?? this.#makeIssuer());
    return this.#issuer;
  }

  async #readIssuer(): Promise<Issuer | undefined> {
    try {
      const text = await readFile(this.#path('authority.key'), 'utf8');
      const certificate = await readFile(this.#path('authority.pem'), 'utf8');
      const key = createPrivateKey(text);
      const parsed = new X509Certificate(certificate);
      const lasts = parsed.validToDate.getTime() > Date.now() + RENEW_DAYS * DAY;
      return lasts && parsed.checkPrivateKey(key) ? { key, certificate } : undefined;
    } catch {
      // Not there, or damaged: a new authority is made, and clients that trusted the old one must read the new file.
      return undefined;
    }
  }

  async #makeIssuer(): Promise<Issuer> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = Date.now();
    const certificate = makeCertificate({
      subject: AUTHORITY_NAME,
      publicKey: createPublicKey(privateKey),
      issuer: AUTHORITY_NAME,
      issuerKey: privateKey,
      notBefore: now - DAY,
      notAfter: now + AUTHORITY_DAYS * DAY,
      serial: this.#options.random.bytes(16),
      use: { type: 'authority' },
    });
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    await this.#replace('authority.key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
    await this.#replace('authority.pem', certificate, 0o644);
    return { key: privateKey, certificate };
  }

  async #writeFiles(): Promise<AuthorityFiles> {
    const { certificate } = await this.#loadIssuer();
    await this.#replace('bundle.pem', `${tls.rootCertificates.join('\n')}\n${certificate}`, 0o644);
    return { certificate: this.#path('authority.pem'), bundle: this.#path('bundle.pem') };
  }

  async #replace(name: string, content: string, mode: number): Promise<void> {
    const temporary = this.#path(`.${name}.${this.#options.random.hex(8)}`);
    const file = await open(temporary, 'wx', mode);
    try {
      await writeFile(file, content);
      await file.sync();
      await rename(temporary, this.#path(name));
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    } finally {
      await file.close();
    }
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }
}
