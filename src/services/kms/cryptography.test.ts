import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { startTestKms, type TestKms } from './test-kms.ts';

let test: TestKms;
before(() => {
  test = startTestKms();
});
after(() => test.close());

const create = async (KeySpec: string, KeyUsage: string): Promise<string> =>
  (await test.call('CreateKey', { KeySpec, KeyUsage })).KeyMetadata.KeyId;
const publicKeyOf = async (KeyId: string) =>
  crypto.createPublicKey({ key: (await test.call('GetPublicKey', { KeyId })).PublicKey, format: 'der', type: 'spki' });
const message = Buffer.from('The quick brown fox');

describe('KMS Encrypt and Decrypt', () => {
  it('encrypt up to 4,096 bytes, each time differently', async () => {
    const KeyId = await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const Plaintext = crypto.randomBytes(4096);
    const one = await test.call('Encrypt', { KeyId, Plaintext });
    const two = await test.call('Encrypt', { KeyId, Plaintext });
    assert.notDeepEqual(one.CiphertextBlob, two.CiphertextBlob);
    const answer = await test.call('Decrypt', { CiphertextBlob: one.CiphertextBlob });
    assert.deepEqual(answer.Plaintext, Plaintext);
    assert.equal(answer.EncryptionAlgorithm, 'SYMMETRIC_DEFAULT');
    const { KeyMetadata } = await test.call('DescribeKey', { KeyId });
    assert.equal(answer.KeyMaterialId, KeyMetadata.CurrentKeyMaterialId);
    assert.equal(answer.KeyId, KeyMetadata.Arn);
    for (const length of [0, 4097]) {
      await assert.rejects(test.call('Encrypt', { KeyId, Plaintext: Buffer.alloc(length) }), {
        code: 'ValidationException',
        message: /at 'plaintext' failed to satisfy constraint: Member must have length/,
      });
    }
  });

  it('wants the key that it was encrypted with, when one is named', async () => {
    const [KeyId, other] = [
      await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
      await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
    ];
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: message });
    assert.deepEqual((await test.call('Decrypt', { CiphertextBlob, KeyId })).Plaintext, message);
    await assert.rejects(test.call('Decrypt', { CiphertextBlob, KeyId: other }), { code: 'IncorrectKeyException' });
    await assert.rejects(test.call('Decrypt', { CiphertextBlob: Buffer.from('x') }), {
      code: 'InvalidCiphertextException',
    });
    await assert.rejects(test.call('Decrypt', {}), { code: 'ValidationException' });
  });

  it('re-encrypt under another key and context', async () => {
    const [from, to] = [
      await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
      await create('RSA_2048', 'ENCRYPT_DECRYPT'),
    ];
    const { CiphertextBlob } = await test.call('Encrypt', {
      KeyId: from,
      Plaintext: message,
      EncryptionContext: { a: '1' },
    });
    const move = { CiphertextBlob, DestinationKeyId: to, DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' };
    await assert.rejects(test.call('ReEncrypt', move), { code: 'InvalidCiphertextException' });
    const moved = await test.call('ReEncrypt', { ...move, SourceEncryptionContext: { a: '1' } });
    assert.equal(moved.SourceEncryptionAlgorithm, 'SYMMETRIC_DEFAULT');
    const back = await test.call('Decrypt', {
      CiphertextBlob: moved.CiphertextBlob,
      KeyId: to,
      EncryptionAlgorithm: 'RSAES_OAEP_SHA_256',
    });
    assert.deepEqual(back.Plaintext, message);
  });

  it('encrypt with RSA up to what the padding leaves', async () => {
    const KeyId = await create('RSA_2048', 'ENCRYPT_DECRYPT');
    const publicKey = await publicKeyOf(KeyId);
    for (const [EncryptionAlgorithm, oaepHash, most] of [
      ['RSAES_OAEP_SHA_1', 'sha1', 214],
      ['RSAES_OAEP_SHA_256', 'sha256', 190],
    ] as const) {
      const Plaintext = crypto.randomBytes(most);
      const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext, EncryptionAlgorithm });
      const opened = await test.call('Decrypt', { KeyId, CiphertextBlob, EncryptionAlgorithm });
      assert.deepEqual(opened.Plaintext, Plaintext);
      const outside = crypto.publicEncrypt({ key: publicKey, oaepHash }, Plaintext);
      assert.deepEqual(
        (await test.call('Decrypt', { KeyId, CiphertextBlob: outside, EncryptionAlgorithm })).Plaintext,
        Plaintext,
      );
      await assert.rejects(test.call('Encrypt', { KeyId, Plaintext: Buffer.alloc(most + 1), EncryptionAlgorithm }), {
        code: 'ValidationException',
        message: `Algorithm ${EncryptionAlgorithm} and key spec RSA_2048 cannot encrypt data larger than ${most} bytes.`,
      });
    }
    await assert.rejects(test.call('Encrypt', { KeyId, Plaintext: message }), {
      code: 'InvalidKeyUsageException',
      message: 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
    });
    await assert.rejects(
      test.call('Decrypt', { KeyId, CiphertextBlob: message, EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' }),
      { code: 'InvalidCiphertextException' },
    );
  });

  it('answers a dry run with an error of its own, after all checks', async () => {
    const KeyId = await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const dry = { KeyId, Plaintext: message, DryRun: true };
    await assert.rejects(test.call('Encrypt', dry), {
      code: 'DryRunOperationException',
      message: 'The request would have succeeded, but the DryRun option is set.',
    });
    const ignoring = { KeyId, DryRun: true, DryRunModifiers: ['IGNORE_CIPHERTEXT'] };
    await assert.rejects(test.call('Decrypt', ignoring), { code: 'DryRunOperationException' });
    await assert.rejects(test.call('Decrypt', { KeyId, DryRun: true }), { code: 'ValidationException' });
    await assert.rejects(test.call('Encrypt', { ...dry, GrantTokens: ['forged'] }), {
      code: 'InvalidGrantTokenException',
    });
    await test.call('DisableKey', { KeyId });
    await assert.rejects(test.call('Encrypt', dry), { code: 'DisabledException' });
  });
});

describe('KMS data keys', () => {
  it('come in the wanted size, in the clear or not', async () => {
    const KeyId = await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    for (const [input, length] of [
      [{ KeySpec: 'AES_128' }, 16],
      [{ KeySpec: 'AES_256' }, 32],
      [{ NumberOfBytes: 1024 }, 1024],
    ] as const) {
      const { Plaintext, CiphertextBlob } = await test.call('GenerateDataKey', { KeyId, ...input });
      assert.equal(Plaintext.length, length);
      assert.deepEqual((await test.call('Decrypt', { CiphertextBlob })).Plaintext, Buffer.from(Plaintext));
      const hidden = await test.call('GenerateDataKeyWithoutPlaintext', { KeyId, ...input });
      assert.equal('Plaintext' in hidden, false);
      const opened = await test.call('Decrypt', { CiphertextBlob: hidden.CiphertextBlob });
      assert.equal(opened.Plaintext.length, length);
      assert.notDeepEqual(opened.Plaintext, Buffer.alloc(length));
    }
    for (const input of [
      {},
      { KeySpec: 'AES_256', NumberOfBytes: 5 },
      { NumberOfBytes: 1025 },
      { KeySpec: 'AES_512' },
    ]) {
      await assert.rejects(test.call('GenerateDataKey', { KeyId, ...input }), { code: 'ValidationException' });
    }
  });

  it('come in pairs, whose private key decrypts to one that belongs to the public key', async () => {
    const KeyId = await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    for (const KeyPairSpec of ['RSA_2048', 'ECC_NIST_P256', 'ECC_SECG_P256K1', 'ECC_NIST_EDWARDS25519']) {
      const pair = await test.call('GenerateDataKeyPairWithoutPlaintext', { KeyId, KeyPairSpec });
      assert.equal('PrivateKeyPlaintext' in pair, false);
      const { Plaintext } = await test.call('Decrypt', { CiphertextBlob: pair.PrivateKeyCiphertextBlob });
      const key = crypto.createPrivateKey({ key: Plaintext, format: 'der', type: 'pkcs8' });
      const own = crypto.createPublicKey(key).export({ format: 'der', type: 'spki' });
      assert.deepEqual(own, pair.PublicKey, KeyPairSpec);
    }
    await assert.rejects(test.call('GenerateDataKeyPair', { KeyId, KeyPairSpec: 'SM2' }), {
      code: 'UnsupportedOperationException',
    });
  });

  it('and random bytes, up to 1,024', async () => {
    assert.equal((await test.call('GenerateRandom', { NumberOfBytes: 1024 })).Plaintext.length, 1024);
    for (const input of [{}, { NumberOfBytes: 0 }, { NumberOfBytes: 1025 }]) {
      await assert.rejects(test.call('GenerateRandom', input), { code: 'ValidationException' });
    }
  });
});

describe('KMS Sign and Verify', () => {
  const algorithms: [spec: string, algorithm: string, hash: string | null, more?: object][] = [
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'],
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_512', 'sha512'],
    ['RSA_2048', 'RSASSA_PSS_SHA_256', 'sha256', { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }],
    ['RSA_2048', 'RSASSA_PSS_SHA_384', 'sha384', { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }],
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
    ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', null],
    ['ML_DSA_44', 'ML_DSA_SHAKE_256', null],
  ];
  for (const [spec, SigningAlgorithm, hash, more = {}] of algorithms) {
    it(`${spec} by ${SigningAlgorithm}: as node:crypto verifies and signs`, async () => {
      const KeyId = await create(spec, 'SIGN_VERIFY');
      const key = await publicKeyOf(KeyId);
      const raw = { KeyId, SigningAlgorithm, Message: message };
      const { Signature } = await test.call('Sign', raw);
      assert.equal(crypto.verify(hash, message, { key, ...more }, Signature), true);
      assert.equal((await test.call('Verify', { ...raw, Signature })).SignatureValid, true);
      const changed = Buffer.from(Signature);
      changed[changed.length - 1]! ^= 1;
      await assert.rejects(test.call('Verify', { ...raw, Signature: changed }), {
        code: 'KMSInvalidSignatureException',
      });
      await assert.rejects(test.call('Verify', { ...raw, Message: Buffer.from('other'), Signature }), {
        code: 'KMSInvalidSignatureException',
      });
      if (hash === null) {
        await assert.rejects(test.call('Sign', { ...raw, MessageType: 'DIGEST', Message: Buffer.alloc(64) }), {
          code: 'ValidationException',
        });
        return;
      }
      const digest = { ...raw, MessageType: 'DIGEST', Message: crypto.hash(hash, message, 'buffer') };
      const signed = await test.call('Sign', digest);
      assert.equal(crypto.verify(hash, message, { key, ...more }, signed.Signature), true, 'a digest signed');
      assert.equal((await test.call('Verify', { ...digest, Signature })).SignatureValid, true, 'a digest verified');
      await assert.rejects(test.call('Verify', { ...digest, Signature: changed }), {
        code: 'KMSInvalidSignatureException',
      });
      await assert.rejects(test.call('Verify', { ...digest, Signature: Buffer.from('none') }), {
        code: 'KMSInvalidSignatureException',
      });
      await assert.rejects(test.call('Sign', { ...digest, Message: Buffer.alloc(20) }), {
        code: 'ValidationException',
        message: `Digest is invalid length for algorithm ${SigningAlgorithm}.`,
      });
    });
  }

  it('sign with Ed25519ph, hashing what they get once more', async () => {
    const KeyId = await create('ECC_NIST_EDWARDS25519', 'SIGN_VERIFY');
    const Message = crypto.hash('sha512', message, 'buffer');
    const request = { KeyId, SigningAlgorithm: 'ED25519_PH_SHA_512', MessageType: 'DIGEST', Message };
    const { Signature } = await test.call('Sign', request);
    assert.equal(Signature.length, 64);
    assert.equal((await test.call('Verify', { ...request, Signature })).SignatureValid, true);
    assert.equal(crypto.verify(null, Message, await publicKeyOf(KeyId), Signature), false, 'it is not plain Ed25519');
    const plain = { ...request, MessageType: 'RAW' };
    await assert.rejects(test.call('Sign', plain), { code: 'ValidationException' });
  });

  it('refuse the wrong key, algorithm, message and state', async () => {
    const [signing, encrypting] = [
      await create('ECC_NIST_P256', 'SIGN_VERIFY'),
      await create('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
    ];
    const request = { KeyId: signing, SigningAlgorithm: 'ECDSA_SHA_256', Message: message };
    const { Arn } = (await test.call('DescribeKey', { KeyId: encrypting })).KeyMetadata;
    await assert.rejects(test.call('Sign', { ...request, KeyId: encrypting }), {
      code: 'InvalidKeyUsageException',
      message: `${Arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
    });
    await assert.rejects(test.call('Sign', { ...request, SigningAlgorithm: 'ECDSA_SHA_384' }), {
      code: 'InvalidKeyUsageException',
    });
    await assert.rejects(test.call('Sign', { ...request, SigningAlgorithm: 'ROT13' }), { code: 'ValidationException' });
    await assert.rejects(test.call('Sign', { ...request, Message: Buffer.alloc(4097) }), {
      code: 'ValidationException',
    });
    await assert.rejects(test.call('GetPublicKey', { KeyId: encrypting }), { code: 'UnsupportedOperationException' });
    await test.call('DisableKey', { KeyId: signing });
    await assert.rejects(test.call('Sign', request), { code: 'DisabledException' });
  });
});

describe('KMS message authentication codes', () => {
  it('verify, and nothing else does', async () => {
    for (const [spec, MacAlgorithm, length] of [
      ['HMAC_224', 'HMAC_SHA_224', 28],
      ['HMAC_256', 'HMAC_SHA_256', 32],
      ['HMAC_384', 'HMAC_SHA_384', 48],
      ['HMAC_512', 'HMAC_SHA_512', 64],
    ] as const) {
      const KeyId = await create(spec, 'GENERATE_VERIFY_MAC');
      const request = { KeyId, MacAlgorithm, Message: message };
      const { Mac } = await test.call('GenerateMac', request);
      assert.equal(Mac.length, length);
      assert.equal((await test.call('VerifyMac', { ...request, Mac })).MacValid, true);
      for (const wrong of [Mac.subarray(1), Buffer.alloc(length)]) {
        await assert.rejects(test.call('VerifyMac', { ...request, Mac: wrong }), { code: 'KMSInvalidMacException' });
      }
    }
  });
});

describe('KMS shared secrets', () => {
  it('are what the other side derives', async () => {
    const KeyId = await create('ECC_NIST_P384', 'KEY_AGREEMENT');
    const peer = crypto.generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const PublicKey = peer.publicKey.export({ format: 'der', type: 'spki' });
    const answer = await test.call('DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey });
    const theirs = crypto.diffieHellman({ privateKey: peer.privateKey, publicKey: await publicKeyOf(KeyId) });
    assert.deepEqual(answer.SharedSecret, theirs);
    const other = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey;
    for (const wrong of [Buffer.from('x'), other.export({ format: 'der', type: 'spki' })]) {
      await assert.rejects(
        test.call('DeriveSharedSecret', { KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: wrong }),
        { code: 'ValidationException' },
      );
    }
  });

  it('are encapsulated by ML-KEM, here or with the public key', async () => {
    const KeyId = await create('ML_KEM_768', 'ENCAPSULATE_DECAPSULATE');
    const EncapsulationAlgorithm = 'ML_KEM';
    const made = await test.call('Encapsulate', { KeyId, EncapsulationAlgorithm });
    const open = (SharedSecretCiphertextBlob: Uint8Array) =>
      test.call('Decapsulate', { KeyId, EncapsulationAlgorithm, SharedSecretCiphertextBlob });
    assert.deepEqual((await open(made.SharedSecretCiphertextBlob)).SharedSecret, made.SharedSecret);
    const outside = crypto.encapsulate(await publicKeyOf(KeyId));
    assert.deepEqual((await open(outside.ciphertext)).SharedSecret, Buffer.from(outside.sharedKey));
    await assert.rejects(open(Buffer.from('short')), { code: 'InvalidCiphertextException' });
  });
});
