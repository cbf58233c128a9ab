import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge';
import * as kms from '@aws-sdk/client-kms';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

let server: RunningKobune;
let client: kms.KMSClient;
let events: EventBridgeClient;
let sqs: SQSClient;

before(async () => {
  server = await runKobune();
  client = new kms.KMSClient(server.settings());
  events = new EventBridgeClient(server.settings());
  sqs = new SQSClient(server.settings());
});
after(async () => {
  for (const one of [client, events, sqs]) one?.destroy();
  await server?.[Symbol.asyncDispose]();
});

const create = async (input: kms.CreateKeyCommandInput = {}): Promise<kms.KeyMetadata> =>
  (await client.send(new kms.CreateKeyCommand(input))).KeyMetadata!;
const text = (value: string) => new TextEncoder().encode(value);

/** A queue that gets what KMS tells the default event bus. */
async function queueOfEvents(): Promise<string> {
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'key-events' }));
  const pattern = JSON.stringify({ source: ['aws.kms'] });
  await events.send(new PutRuleCommand({ Name: 'key-events', EventPattern: pattern }));
  const Targets = [{ Id: 'queue', Arn: 'arn:aws:sqs:us-east-1:000000000000:key-events' }];
  await events.send(new PutTargetsCommand({ Rule: 'key-events', Targets }));
  return QueueUrl!;
}

/** What the next event about a key is. */
async function toldOf(keyId: string, QueueUrl: string): Promise<string> {
  return eventually(async () => {
    const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 1 }));
    const [event] = (Messages ?? []).map(({ Body = '' }) => JSON.parse(Body));
    return event?.detail['key-id'] === keyId ? event['detail-type'] : undefined;
  });
}

describe('KMS by the AWS SDK', () => {
  it('encrypts a file with a data key, and gets it back', async () => {
    const { KeyId, Arn } = await create({ Description: 'files' });
    await client.send(new kms.CreateAliasCommand({ AliasName: 'alias/files', TargetKeyId: KeyId }));
    const EncryptionContext = { file: 'größe.txt', owner: 'ada' };
    const made = await client.send(
      new kms.GenerateDataKeyCommand({ KeyId: 'alias/files', KeySpec: 'AES_256', EncryptionContext }),
    );
    assert.equal(made.KeyId, Arn);
    const iv = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', made.Plaintext!, iv);
    const sealed = Buffer.concat([cipher.update('content'), cipher.final()]);
    const { Plaintext } = await client.send(
      new kms.DecryptCommand({ CiphertextBlob: made.CiphertextBlob, EncryptionContext }),
    );
    const decipher = crypto.createDecipheriv('aes-256-gcm', Plaintext!, iv);
    decipher.setAuthTag(cipher.getAuthTag());
    assert.equal(Buffer.concat([decipher.update(sealed), decipher.final()]).toString(), 'content');
    await assert.rejects(
      client.send(new kms.DecryptCommand({ CiphertextBlob: made.CiphertextBlob })),
      kms.InvalidCiphertextException,
    );
  });

  it('gets errors as the SDK knows them', async () => {
    const { KeyId } = await create();
    const encrypt = new kms.EncryptCommand({ KeyId, Plaintext: text('x') });
    await assert.rejects(
      client.send(new kms.DescribeKeyCommand({ KeyId: 'alias/none' })),
      (error) =>
        error instanceof kms.NotFoundException &&
        error.message === 'Alias arn:aws:kms:us-east-1:000000000000:alias/none is not found.',
    );
    await assert.rejects(
      client.send(new kms.EncryptCommand({ KeyId, Plaintext: text('x'), DryRun: true })),
      kms.DryRunOperationException,
    );
    await client.send(new kms.DisableKeyCommand({ KeyId }));
    await assert.rejects(client.send(encrypt), kms.DisabledException);
    await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await assert.rejects(client.send(encrypt), kms.KMSInvalidStateException);
    await assert.rejects(client.send(new kms.CreateCustomKeyStoreCommand({ CustomKeyStoreName: 'x' })), {
      message: /custom key stores/,
    });
  });

  it('signs what anybody can verify with the public key', async () => {
    const { KeyId } = await create({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const { PublicKey, SigningAlgorithms } = await client.send(new kms.GetPublicKeyCommand({ KeyId }));
    assert.deepEqual(SigningAlgorithms, ['ECDSA_SHA_256']);
    const key = crypto.createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
    const request = { KeyId, SigningAlgorithm: 'ECDSA_SHA_256' as const };
    for (const [MessageType, Message] of [
      ['RAW', text('message')],
      ['DIGEST', crypto.hash('sha256', 'message', 'buffer')],
    ] as const) {
      const { Signature } = await client.send(new kms.SignCommand({ ...request, MessageType, Message }));
      assert.equal(crypto.verify('sha256', text('message'), key, Signature!), true, MessageType);
      const verify = new kms.VerifyCommand({ ...request, MessageType, Message, Signature });
      assert.equal((await client.send(verify)).SignatureValid, true);
      await assert.rejects(
        client.send(new kms.VerifyCommand({ ...request, Message: text('other'), Signature })),
        kms.KMSInvalidSignatureException,
      );
    }
  });

  it('rotates and deletes by the clock, and tells the event bus', async () => {
    const QueueUrl = await queueOfEvents();
    const { KeyId } = await create();
    await client.send(new kms.EnableKeyRotationCommand({ KeyId, RotationPeriodInDays: 90 }));
    const { CiphertextBlob } = await client.send(new kms.EncryptCommand({ KeyId, Plaintext: text('old') }));
    const advance = (days: number) => moveClock(server, days * 86_400_000);
    await advance(90);
    const { Rotations } = await client.send(new kms.ListKeyRotationsCommand({ KeyId }));
    assert.equal(Rotations?.length, 1);
    assert.equal(await toldOf(KeyId!, QueueUrl), 'KMS CMK Rotation');
    const { Plaintext } = await client.send(new kms.DecryptCommand({ CiphertextBlob }));
    assert.equal(Buffer.from(Plaintext!).toString(), 'old');
    await client.send(new kms.ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
    await advance(7);
    await assert.rejects(client.send(new kms.DescribeKeyCommand({ KeyId })), kms.NotFoundException);
    assert.equal(await toldOf(KeyId!, QueueUrl), 'KMS CMK Deletion');
  });

  it('pages through keys, aliases and grants', async () => {
    const { KeyId } = await create();
    for (const name of ['one', 'two', 'three']) {
      await client.send(new kms.CreateAliasCommand({ AliasName: `alias/page-${name}`, TargetKeyId: KeyId }));
      await client.send(
        new kms.CreateGrantCommand({
          KeyId,
          Name: name,
          GranteePrincipal: 'arn:aws:iam::000000000000:role/r',
          Operations: ['Encrypt'],
        }),
      );
    }
    const seen: Record<string, number> = { aliases: 0, grants: 0, keys: 0 };
    for await (const page of kms.paginateListAliases({ client, pageSize: 2 }, { KeyId })) {
      seen.aliases! += page.Aliases!.length;
    }
    for await (const page of kms.paginateListGrants({ client, pageSize: 2 }, { KeyId })) {
      seen.grants! += page.Grants!.length;
    }
    for await (const page of kms.paginateListKeys({ client, pageSize: 1 }, {})) {
      seen.keys! += page.Keys!.filter((key) => key.KeyId === KeyId).length;
    }
    assert.deepEqual(seen, { aliases: 3, grants: 3, keys: 1 });
  });

  it('replicates keys between regions', async () => {
    const { KeyId } = await create({ MultiRegion: true });
    await client.send(new kms.ReplicateKeyCommand({ KeyId, ReplicaRegion: 'eu-central-1' }));
    const there = new kms.KMSClient({ ...server.settings(), region: 'eu-central-1' });
    try {
      const { CiphertextBlob } = await client.send(new kms.EncryptCommand({ KeyId, Plaintext: text('far') }));
      const { Plaintext, KeyId: used } = await there.send(new kms.DecryptCommand({ CiphertextBlob }));
      assert.equal(Buffer.from(Plaintext!).toString(), 'far');
      assert.equal(used, `arn:aws:kms:eu-central-1:000000000000:key/${KeyId}`);
    } finally {
      there.destroy();
    }
  });
});
