import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as kms from '@aws-sdk/client-kms';
import { moveClock } from '../support/clock.ts';
import { KillableKobune } from '../support/killable-kobune.ts';

const DAY_MS = 86_400_000;
const Plaintext = new TextEncoder().encode('kept');

describe('KMS after kill -9', () => {
  let scratch: string;
  let data: string;
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kobune-kms-'));
    data = join(scratch, 'data');
  });
  after(() => rm(scratch, { recursive: true, force: true }));

  it('has every key, and does what came due meanwhile', { timeout: 60_000 }, async () => {
    let server = await KillableKobune.start(data);
    let client = new kms.KMSClient(server.settings());
    const create = async (input: kms.CreateKeyCommandInput = {}): Promise<string> =>
      (await client.send(new kms.CreateKeyCommand(input))).KeyMetadata!.KeyId!;
    try {
      const [kept, rotated, doomed, signing] = await Promise.all([
        create(),
        create(),
        create(),
        create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
      ]);
      const sealed = await Promise.all(
        [kept, rotated].map((KeyId) => client.send(new kms.EncryptCommand({ KeyId, Plaintext }))),
      );
      const { PublicKey } = await client.send(new kms.GetPublicKeyCommand({ KeyId: signing }));
      await client.send(new kms.EnableKeyRotationCommand({ KeyId: rotated, RotationPeriodInDays: 90 }));
      await client.send(new kms.RotateKeyOnDemandCommand({ KeyId: kept }));
      await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId: doomed, PendingWindowInDays: 7 }));
      await server.kill();
      client.destroy();
      server = await KillableKobune.start(data);
      client = new kms.KMSClient(server.settings());
      const open = async () => {
        for (const { CiphertextBlob } of sealed) {
          const answer = await client.send(new kms.DecryptCommand({ CiphertextBlob }));
          assert.deepEqual(answer.Plaintext, Plaintext);
        }
      };
      await open();
      const again = await client.send(new kms.GetPublicKeyCommand({ KeyId: signing }));
      assert.deepEqual(again.PublicKey, PublicKey);
      await moveClock(server, 91 * DAY_MS);
      await server.kill();
      client.destroy();
      server = await KillableKobune.start(data);
      client = new kms.KMSClient(server.settings());
      await open();
      await assert.rejects(client.send(new kms.DescribeKeyCommand({ KeyId: doomed })), kms.NotFoundException);
      const { Rotations } = await client.send(new kms.ListKeyRotationsCommand({ KeyId: rotated }));
      assert.equal(Rotations?.length, 1);
    } finally {
      client.destroy();
      await server.kill();
    }
  });

  it('has left nothing that others on this machine could read, and no private key in the clear', async () => {
    assert.equal((await stat(data)).mode & 0o077, 0);
    for (const name of await readdir(join(data, 'store'))) {
      const bytes = await readFile(join(data, 'store', name));
      // How the PKCS #8 of a key on P-256 begins.
      assert.equal(bytes.includes(Buffer.from('308187020100301306072a8648ce3d020106082a8648ce3d030107', 'hex')), false);
    }
  });
});
