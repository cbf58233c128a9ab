import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { isIP } from 'node:net';
import * as der from './der.ts';

/** Object identifiers, from RFC 4055, RFC 5280 and RFC 5758. */
const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  sha256WithRsaEncryption: '1.2.840.113549.1.1.11',
} as const;

export interface CertificateRequest {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly issuer: string;
  /** An elliptic-curve key (P-256), or an RSA key. */
  readonly issuerKey: KeyObject;
  /** Epoch ms of the machine's clock: clients check with theirs, not with Kobune's. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Up to 20 random bytes. */
  readonly serial: Uint8Array;
  /** `authority` may sign others; a server is known by these DNS names and IP addresses; a `client` shows it to a server; a `signer` signs messages. */
  readonly use:
    | { readonly type: 'authority' }
    | { readonly type: 'server'; readonly names: readonly string[] }
    | { readonly type: 'client' }
    | { readonly type: 'signer' };
}

/**
 * Makes and signs an X.509 v3 certificate, as PEM. Source: RFC 5280. Written by hand on `node:crypto` because every
 * library for it costs more to load (over 100 ms) than a whole start of Kobune may take.
 */
export function makeCertificate(request: CertificateRequest): string {
  const algorithm = signatureAlgorithm(request.issuerKey);
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(positive(request.serial)),
    algorithm,
    distinguishedName(request.issuer),
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    distinguishedName(request.subject),
    subjectPublicKeyInfo(request.publicKey),
    der.explicit(3, der.sequence(...extensions(request))),
  );
  const signature = sign('sha256', body, { key: request.issuerKey, dsaEncoding: 'der' });
  return pem(der.sequence(body, algorithm, der.bitString(signature)));
}

/** RSA's identifier is followed by NULL, the one of elliptic curves by nothing (RFC 4055, RFC 5758). */
function signatureAlgorithm({ asymmetricKeyType }: KeyObject): Buffer {
  return asymmetricKeyType === 'rsa'
    ? der.sequence(der.objectIdentifier(OID.sha256WithRsaEncryption), der.nothing())
    : der.sequence(der.objectIdentifier(OID.ecdsaWithSha256));
}

function extensions({ use, publicKey, issuerKey }: CertificateRequest): Buffer[] {
  const identifiers = [
    extension(OID.subjectKeyIdentifier, false, der.octetString(keyIdentifier(publicKey))),
    extension(
      OID.authorityKeyIdentifier,
      false,
      der.sequence(der.implicit(0, keyIdentifier(createPublicKey(issuerKey)))),
    ),
  ];
  if (use.type === 'authority') {
    const signsLeavesOnly = der.sequence(der.boolean(true), der.integer(Buffer.from([0])));
    const keyCertSignAndCrlSign = der.bitString(Buffer.from([0b00000110]), 1);
    return [
      extension(OID.basicConstraints, true, signsLeavesOnly),
      extension(OID.keyUsage, true, keyCertSignAndCrlSign),
      ...identifiers,
    ];
  }
  const digitalSignature = der.bitString(Buffer.from([0b10000000]), 7);
  const leaf = [extension(OID.basicConstraints, true, der.sequence()), extension(OID.keyUsage, true, digitalSignature)];
  if (use.type === 'signer') return [...leaf, ...identifiers];
  if (use.type === 'client') {
    return [
      ...leaf,
      extension(OID.extendedKeyUsage, false, der.sequence(der.objectIdentifier(OID.clientAuth))),
      ...identifiers,
    ];
  }
  return [
    ...leaf,
    extension(OID.extendedKeyUsage, false, der.sequence(der.objectIdentifier(OID.serverAuth))),
    extension(OID.subjectAltName, false, der.sequence(...use.names.map(generalName))),
    ...identifiers,
  ];
}

function extension(oid: string, critical: boolean, content: Uint8Array): Buffer {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.objectIdentifier(oid), ...flag, der.octetString(content));
}

function distinguishedName(commonName: string): Buffer {
  const attribute = (oid: string, text: string) =>
    der.set(der.sequence(der.objectIdentifier(oid), der.utf8String(text)));
  return der.sequence(attribute(OID.organization, 'Kobune'), attribute(OID.commonName, commonName));
}

function generalName(name: string): Buffer {
  return isIP(name) === 0 ? der.implicit(2, Buffer.from(name, 'ascii')) : der.implicit(7, addressBytes(name));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const zeros = Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  const all = [...groups(head), ...zeros, ...groups(tail)].map((group) => Number.parseInt(group, 16));
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function subjectPublicKeyInfo(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** Any unique value will do (RFC 5280 section 4.2.1.2); the hash of the whole key structure is one. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha256').update(subjectPublicKeyInfo(key)).digest().subarray(0, 20);
}

/** A serial number is positive: its first byte is neither zero nor has its high bit set. */
function positive(bytes: Uint8Array): Buffer {
  const serial = Buffer.from(bytes);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

function pem(certificate: Uint8Array): string {
  const lines = Buffer.from(certificate)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
