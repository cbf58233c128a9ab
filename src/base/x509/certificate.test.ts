import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { makeCertificate } from './certificate.ts';

describe('a certificate', () => {
  for (const [name, keys] of [
    ['an elliptic-curve', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['an RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ] as const) {
    it(`is signed with ${name} key and says whose it is`, () => {
      const notBefore = Date.parse('2026-01-01T00:00:00Z');
      const certificate = new X509Certificate(
        makeCertificate({
          subject: 'sns.amazonaws.com',
          issuer: 'sns.amazonaws.com',
          publicKey: keys.publicKey,
          issuerKey: keys.privateKey,
          notBefore,
          notAfter: Date.parse('2036-01-01T00:00:00Z'),
          serial: Buffer.alloc(16, 7),
          use: { type: 'signer' },
        }),
      );
      assert.equal(certificate.verify(createPublicKey(keys.privateKey)), true);
      assert.equal(certificate.checkPrivateKey(keys.privateKey), true);
      assert.equal(certificate.subject, 'O=Kobune\nCN=sns.amazonaws.com');
      assert.equal(certificate.validFromDate.getTime(), notBefore);
      assert.equal(certificate.ca, false);
    });
  }
});
