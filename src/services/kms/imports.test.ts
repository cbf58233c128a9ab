import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { startTestKms, type TestKms } from './test-kms.ts';

const DAY_MS = 86_400_000;
const FOREVER = { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
let test: TestKms;
beforeEach(() => {
  test = startTestKms();
});
afterEach(() => test.close());

async function external(input: object = {}): Promise<string> {
  const { KeyMetadata } = await test.call('CreateKey', { Origin: 'EXTERNAL', ...input });
  assert.equal(KeyMetadata.KeyState, 'PendingImport');
  return KeyMetadata.KeyId;
}

/** Wraps material as a user would, with node:crypto. */
async function wrapped(
  KeyId: string,
  material: Uint8Array,
  WrappingAlgorithm = 'RSAES_OAEP_SHA_256',
  region = 'us-east-1',
) {
  const parameters = await test.call(
    'GetParametersForImport',
    { KeyId, WrappingAlgorithm, WrappingKeySpec: 'RSA_2048' },
    { region },
  );
  const key = crypto.createPublicKey({ key: parameters.PublicKey, format: 'der', type: 'spki' });
  const oaepHash = WrappingAlgorithm.endsWith('SHA_1') ? 'sha1' : 'sha256';
  const { ImportToken } = parameters;
  if (WrappingAlgorithm.startsWith('RSAES')) {
    return { KeyId, ImportToken, EncryptedKeyMaterial: crypto.publicEncrypt({ key, oaepHash }, material) };
  }
  const aesKey = crypto.randomBytes(32);
  const cipher = crypto.createCipheriv('id-aes256-wrap-pad', aesKey, Buffer.from('a65959a6', 'hex'));
  return {
    KeyId,
    ImportToken,
    EncryptedKeyMaterial: Buffer.concat([
      crypto.publicEncrypt({ key, oaepHash }, aesKey),
      cipher.update(material),
      cipher.final(),
    ]),
  };
}

describe('KMS ImportKeyMaterial', () => {
  it('makes a key usable with known material: its codes are those of RFC 4231', async () => {
    // Test case 1 has 20 bytes of 0x0b; zeros behind them, up to the hash's block, do not change an HMAC key.
    const material = Buffer.concat([Buffer.alloc(20, 0x0b), Buffer.alloc(12)]);
    const KeyId = await external({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, material)), ...FOREVER });
    const { Mac } = await test.call('GenerateMac', {
      KeyId,
      MacAlgorithm: 'HMAC_SHA_256',
      Message: Buffer.from('Hi There'),
    });
    assert.equal(Mac.toString('hex'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7');
  });

  it('encrypts with the imported AES key itself, as anybody who has it can check', async () => {
    const material = crypto.randomBytes(32);
    const KeyId = await external();
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, material)), ...FOREVER });
    const Plaintext = Buffer.from('known');
    const { CiphertextBlob: blob } = await test.call('Encrypt', { KeyId, Plaintext, EncryptionContext: { a: 'bc' } });
    const decipher = crypto.createDecipheriv('aes-256-gcm', material, blob.subarray(56, 68));
    decipher.setAAD(Buffer.concat([blob.subarray(0, 56), Buffer.from('\0\0\0\x01a\0\0\0\x02bc')]));
    decipher.setAuthTag(blob.subarray(-16));
    assert.deepEqual(Buffer.concat([decipher.update(blob.subarray(68, -16)), decipher.final()]), Plaintext);
  });

  it('takes every wrapping algorithm', async () => {
    for (const algorithm of [
      'RSAES_OAEP_SHA_1',
      'RSAES_OAEP_SHA_256',
      'RSA_AES_KEY_WRAP_SHA_1',
      'RSA_AES_KEY_WRAP_SHA_256',
    ]) {
      const KeyId = await external();
      await test.call('ImportKeyMaterial', {
        ...(await wrapped(KeyId, crypto.randomBytes(32), algorithm)),
        ...FOREVER,
      });
      const { KeyMetadata } = await test.call('DescribeKey', { KeyId });
      assert.deepEqual([KeyMetadata.KeyState, KeyMetadata.ExpirationModel], ['Enabled', FOREVER.ExpirationModel]);
    }
    const KeyId = await external();
    const input = { KeyId, WrappingAlgorithm: 'RSAES_PKCS1_V1_5', WrappingKeySpec: 'RSA_2048' };
    await assert.rejects(test.call('GetParametersForImport', input), { code: 'UnsupportedOperationException' });
  });

  it('imports private keys: they sign as they did', async () => {
    const pair = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const material = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
    const KeyId = await external({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
    const input = await wrapped(KeyId, material, 'RSA_AES_KEY_WRAP_SHA_256');
    await test.call('ImportKeyMaterial', { ...input, ...FOREVER });
    const Message = Buffer.from('message');
    const { Signature } = await test.call('Sign', { KeyId, Message, SigningAlgorithm: 'RSASSA_PKCS1_V1_5_SHA_256' });
    assert.deepEqual(Signature, crypto.sign('sha256', Message, pair.privateKey));
    const other = await external({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const wrong = await wrapped(other, material, 'RSA_AES_KEY_WRAP_SHA_256');
    await assert.rejects(test.call('ImportKeyMaterial', { ...wrong, ...FOREVER }), {
      code: 'IncorrectKeyMaterialException',
    });
  });

  it('expires by the clock, and comes back with the same material only', async () => {
    const KeyId = await external();
    const material = crypto.randomBytes(32);
    const ValidTo = new Date(test.clock.now() + 10 * DAY_MS);
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, material)), ValidTo });
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: Buffer.from('kept') });
    test.clock.advance(10 * DAY_MS);
    await assert.rejects(test.call('Decrypt', { CiphertextBlob }), {
      code: 'KMSInvalidStateException',
      message: /is pending import\.$/,
    });
    const [event] = test.events.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()));
    assert.equal(event['detail-type'], 'KMS Imported Key Material Expiration');
    await assert.rejects(
      test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, crypto.randomBytes(32))), ...FOREVER }),
      { code: 'IncorrectKeyMaterialException' },
    );
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, material)), ...FOREVER });
    assert.equal((await test.call('Decrypt', { CiphertextBlob })).Plaintext.toString(), 'kept');
    await test.call('DeleteImportedKeyMaterial', { KeyId });
    assert.equal((await test.call('DescribeKey', { KeyId })).KeyMetadata.KeyState, 'PendingImport');
  });

  it('rotates on demand to new material', async () => {
    const KeyId = await external();
    const [first, second] = [crypto.randomBytes(32), crypto.randomBytes(32)];
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, first)), ...FOREVER });
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: Buffer.from('old') });
    await assert.rejects(test.call('RotateKeyOnDemand', { KeyId }), { code: 'KMSInvalidStateException' });
    const imported = await test.call('ImportKeyMaterial', {
      ...(await wrapped(KeyId, second)),
      ...FOREVER,
      ImportType: 'NEW_KEY_MATERIAL',
      KeyMaterialDescription: 'the second',
    });
    const { Rotations } = await test.call('ListKeyRotations', { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' });
    assert.deepEqual(
      Rotations.map(({ KeyMaterialState }: { KeyMaterialState: string }) => KeyMaterialState),
      ['CURRENT', 'PENDING_ROTATION'],
    );
    await test.call('RotateKeyOnDemand', { KeyId });
    const { KeyMetadata } = await test.call('DescribeKey', { KeyId });
    assert.equal(KeyMetadata.CurrentKeyMaterialId, imported.KeyMaterialId);
    assert.equal((await test.call('Decrypt', { CiphertextBlob })).Plaintext.toString(), 'old');
  });

  it('refuses tokens of other keys, old ones, and dates that cannot be', async () => {
    const [KeyId, other] = [await external(), await external()];
    const material = crypto.randomBytes(32);
    const input = await wrapped(KeyId, material);
    await assert.rejects(test.call('ImportKeyMaterial', { ...input, KeyId: other, ...FOREVER }), {
      code: 'InvalidImportTokenException',
    });
    await assert.rejects(test.call('ImportKeyMaterial', { ...input, ImportToken: Buffer.alloc(99), ...FOREVER }), {
      code: 'InvalidImportTokenException',
    });
    await assert.rejects(
      test.call('ImportKeyMaterial', { ...input, EncryptedKeyMaterial: Buffer.alloc(256), ...FOREVER }),
      { code: 'InvalidCiphertextException' },
    );
    const short = await wrapped(KeyId, crypto.randomBytes(16));
    await assert.rejects(test.call('ImportKeyMaterial', { ...short, ...FOREVER }), {
      code: 'IncorrectKeyMaterialException',
    });
    const dates = [{}, { ValidTo: new Date(test.clock.now()) }, { ValidTo: new Date(test.clock.now() + 366 * DAY_MS) }];
    for (const more of [...dates, { ...FOREVER, ValidTo: new Date(test.clock.now() + 1000) }]) {
      await assert.rejects(test.call('ImportKeyMaterial', { ...input, ...more }), { code: 'ValidationException' });
    }
    test.clock.advance(DAY_MS);
    await assert.rejects(test.call('ImportKeyMaterial', { ...input, ...FOREVER }), {
      code: 'ExpiredImportTokenException',
    });
    const generated = (await test.call('CreateKey')).KeyMetadata.KeyId;
    await assert.rejects(
      test.call('GetParametersForImport', {
        KeyId: generated,
        WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
        WrappingKeySpec: 'RSA_2048',
      }),
      { code: 'UnsupportedOperationException' },
    );
  });

  it('is needed in each region of a multi-Region key, with the same material', async () => {
    const KeyId = await external({ MultiRegion: true });
    const material = crypto.randomBytes(32);
    await test.call('ImportKeyMaterial', { ...(await wrapped(KeyId, material)), ...FOREVER });
    const { ReplicaKeyMetadata } = await test.call('ReplicateKey', { KeyId, ReplicaRegion: 'eu-west-1' });
    assert.equal(ReplicaKeyMetadata.KeyState, 'PendingImport');
    const { CiphertextBlob } = await test.call('Encrypt', { KeyId, Plaintext: Buffer.from('x') });
    const there = { region: 'eu-west-1' };
    const other = await wrapped(KeyId, crypto.randomBytes(32), undefined, 'eu-west-1');
    await assert.rejects(test.call('ImportKeyMaterial', { ...other, ...FOREVER }, there), {
      code: 'IncorrectKeyMaterialException',
    });
    const same = await wrapped(KeyId, material, undefined, 'eu-west-1');
    await test.call('ImportKeyMaterial', { ...same, ...FOREVER }, there);
    assert.equal((await test.call('Decrypt', { CiphertextBlob }, there)).Plaintext.toString(), 'x');
  });
});
