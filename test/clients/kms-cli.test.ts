import assert from 'node:assert/strict';
import { createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutCli } from '../support/running-kobune.ts';

describe('KMS by the AWS CLI', { skip: withoutCli }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  const aws = (...args: string[]) => server.cliJson(['kms', ...args]);

  it('encrypts a file and decrypts it, as the documentation shows', async () => {
    const { KeyMetadata } = await aws('create-key', '--tags', 'TagKey=team,TagValue=a');
    await aws('create-alias', '--alias-name', 'alias/cli', '--target-key-id', KeyMetadata.KeyId);
    await writeFile(join(server.scratch, 'plain'), 'secret file');
    const context = ['--encryption-context', 'purpose=test'];
    const { CiphertextBlob } = await aws(
      'encrypt',
      '--key-id',
      'alias/cli',
      '--plaintext',
      'fileb://plain',
      ...context,
    );
    await writeFile(join(server.scratch, 'sealed'), Buffer.from(CiphertextBlob, 'base64'));
    const { Plaintext } = await aws('decrypt', '--ciphertext-blob', 'fileb://sealed', ...context);
    assert.equal(Buffer.from(Plaintext, 'base64').toString(), 'secret file');
    await assert.rejects(aws('decrypt', '--ciphertext-blob', 'fileb://sealed'), /\(InvalidCiphertextException\)/);
    const { Aliases } = await aws('list-aliases');
    assert.equal(Aliases[0].TargetKeyId, KeyMetadata.KeyId);
  });

  it('imports key material', async () => {
    const { KeyMetadata } = await aws('create-key', '--origin', 'EXTERNAL');
    const key = ['--key-id', KeyMetadata.KeyId];
    const parameters = await aws(
      ...['get-parameters-for-import', ...key],
      ...['--wrapping-algorithm', 'RSAES_OAEP_SHA_256', '--wrapping-key-spec', 'RSA_2048'],
    );
    const publicKey = createPublicKey({
      key: Buffer.from(parameters.PublicKey, 'base64'),
      format: 'der',
      type: 'spki',
    });
    const material = publicEncrypt({ key: publicKey, oaepHash: 'sha256' }, randomBytes(32));
    await writeFile(join(server.scratch, 'material'), material);
    await writeFile(join(server.scratch, 'token'), Buffer.from(parameters.ImportToken, 'base64'));
    await aws(
      ...['import-key-material', ...key, '--import-token', 'fileb://token'],
      ...['--encrypted-key-material', 'fileb://material', '--expiration-model', 'KEY_MATERIAL_DOES_NOT_EXPIRE'],
    );
    assert.equal((await aws('describe-key', ...key)).KeyMetadata.KeyState, 'Enabled');
    assert.ok((await readFile(join(server.scratch, 'token'))).length <= 6144);
  });

  it('tells what is wrong', async () => {
    await assert.rejects(aws('describe-key', '--key-id', 'nothing'), /\(NotFoundException\).*Invalid keyId 'nothing'/s);
    await assert.rejects(
      aws('create-key', '--key-spec', 'RSA_2048'),
      /\(ValidationException\).*You must specify a KeyUsage/s,
    );
    await assert.rejects(
      aws('create-custom-key-store', '--custom-key-store-name', 'x'),
      /There are no custom key stores/,
    );
  });
});
