import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as ssm from '@aws-sdk/client-ssm';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const ADA = 'arn:aws:iam::000000000000:user/ada';
const ROOT = 'arn:aws:iam::000000000000:root';
const Plaintext = new TextEncoder().encode('x');
let server: RunningKobune;
let root: kms.KMSClient;
let iam: IAMClient;
/** Whom only key policies and grants allow anything. */
let ada: kms.KMSClient;
let adaSettings: ReturnType<RunningKobune['settings']>;
/** Whom an IAM policy allows `kms:*`. */
let bob: kms.KMSClient;

async function user(UserName: string): Promise<ReturnType<RunningKobune['settings']>> {
  await iam.send(new CreateUserCommand({ UserName }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  const keys = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  return server.settings(keys);
}

const document = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
const allow = (principal: string, action: string | string[], more: object = {}) => ({
  Effect: 'Allow',
  Principal: { AWS: principal },
  Action: action,
  Resource: '*',
  ...more,
});
const create = async (Policy?: string): Promise<string> => {
  const { KeyMetadata } = await root.send(new kms.CreateKeyCommand(Policy === undefined ? {} : { Policy }));
  return KeyMetadata!.KeyId!;
};
const denied = (error: Error) => {
  assert.equal(error.name, 'AccessDeniedException', error.message);
  return true;
};

before(async () => {
  server = await runKobune({ iam: 'enforce' });
  root = new kms.KMSClient(server.settings());
  iam = new IAMClient(server.settings());
  adaSettings = await user('ada');
  ada = new kms.KMSClient(adaSettings);
  bob = new kms.KMSClient(await user('bob'));
  const PolicyDocument = document({ Effect: 'Allow', Action: 'kms:*', Resource: '*' });
  await iam.send(new PutUserPolicyCommand({ UserName: 'bob', PolicyName: 'keys', PolicyDocument }));
});
after(async () => {
  for (const client of [root, iam, ada, bob]) client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

describe('KMS when policies are enforced', () => {
  it('leaves a key with the default policy to IAM', async () => {
    const KeyId = await create();
    const { CiphertextBlob } = await bob.send(new kms.EncryptCommand({ KeyId, Plaintext }));
    await bob.send(new kms.DecryptCommand({ CiphertextBlob }));
    await assert.rejects(ada.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    await assert.rejects(ada.send(new kms.DecryptCommand({ CiphertextBlob })), denied);
    await assert.rejects(ada.send(new kms.CreateKeyCommand({})), denied);
  });

  it('gives IAM no say when the key policy does not', async () => {
    const KeyId = await create(
      document(allow(`${ROOT}`, ['kms:PutKeyPolicy', 'kms:CreateGrant']), allow(ADA, 'kms:Encrypt')),
    );
    await ada.send(new kms.EncryptCommand({ KeyId, Plaintext }));
    await assert.rejects(bob.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    await assert.rejects(root.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    await bob.send(
      new kms.PutKeyPolicyCommand({ KeyId, Policy: document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:Decrypt')) }),
    );
    await assert.rejects(ada.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    await bob.send(new kms.EncryptCommand({ KeyId, Plaintext }));
  });

  it('heeds conditions on the encryption context, the alias and the caller', async () => {
    const context = { StringEquals: { 'kms:EncryptionContext:team': 'blue' } };
    const KeyId = await create(document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:Encrypt', { Condition: context })));
    await ada.send(new kms.EncryptCommand({ KeyId, Plaintext, EncryptionContext: { team: 'blue' } }));
    await assert.rejects(
      ada.send(new kms.EncryptCommand({ KeyId, Plaintext, EncryptionContext: { team: 'red' } })),
      denied,
    );
    await assert.rejects(ada.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    const alias = { StringEquals: { 'kms:RequestAlias': 'alias/shared', 'kms:CallerAccount': '000000000000' } };
    const Policy = document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:Encrypt', { Condition: alias }));
    await root.send(new kms.PutKeyPolicyCommand({ KeyId, Policy }));
    await root.send(new kms.CreateAliasCommand({ AliasName: 'alias/shared', TargetKeyId: KeyId }));
    await ada.send(new kms.EncryptCommand({ KeyId: 'alias/shared', Plaintext }));
    await assert.rejects(ada.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
  });

  it('keeps AWS managed keys for their services', async () => {
    const { KeyMetadata } = await root.send(new kms.DescribeKeyCommand({ KeyId: 'alias/aws/ssm' }));
    const KeyId = KeyMetadata!.KeyId!;
    await assert.rejects(bob.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    await assert.rejects(root.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
  });

  it('lets grants add to the policies, until they are retired; a deny still wins', async () => {
    const KeyId = await create();
    const { CiphertextBlob } = await root.send(
      new kms.EncryptCommand({ KeyId, Plaintext, EncryptionContext: { team: 'blue' } }),
    );
    const decrypt = new kms.DecryptCommand({ CiphertextBlob, EncryptionContext: { team: 'blue' } });
    await assert.rejects(ada.send(decrypt), denied);
    const { GrantToken } = await root.send(
      new kms.CreateGrantCommand({
        KeyId,
        GranteePrincipal: ADA,
        RetiringPrincipal: ADA,
        Operations: ['Decrypt'],
        Constraints: { EncryptionContextSubset: { team: 'blue' } },
      }),
    );
    await ada.send(decrypt);
    await assert.rejects(ada.send(new kms.EncryptCommand({ KeyId, Plaintext })), denied);
    const deny = { ...allow(ADA, 'kms:Decrypt'), Effect: 'Deny' };
    await root.send(new kms.PutKeyPolicyCommand({ KeyId, Policy: document(allow(ROOT, 'kms:*'), deny) }));
    await assert.rejects(ada.send(decrypt), denied);
    await root.send(new kms.PutKeyPolicyCommand({ KeyId, Policy: document(allow(ROOT, 'kms:*')) }));
    await ada.send(decrypt);
    const stranger = new kms.RetireGrantCommand({ GrantToken });
    await ada.send(stranger);
    await assert.rejects(ada.send(decrypt), denied);
  });

  it('asks for both keys of a re-encryption', async () => {
    const [from, to] = [await create(document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:ReEncryptFrom'))), await create()];
    const { CiphertextBlob } = await root.send(new kms.EncryptCommand({ KeyId: from, Plaintext }));
    const move = new kms.ReEncryptCommand({ CiphertextBlob, DestinationKeyId: to });
    await assert.rejects(ada.send(move), denied);
    const Policy = document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:ReEncryptTo'));
    await root.send(new kms.PutKeyPolicyCommand({ KeyId: to, Policy }));
    assert.ok((await ada.send(move)).CiphertextBlob);
  });

  it('asks for the caller of another service, who comes through that', async () => {
    const clients = { root: new ssm.SSMClient(server.settings()), ada: new ssm.SSMClient(adaSettings) };
    try {
      const PolicyDocument = document({
        Effect: 'Allow',
        Action: ['ssm:PutParameter', 'ssm:GetParameter'],
        Resource: '*',
      });
      await iam.send(new PutUserPolicyCommand({ UserName: 'ada', PolicyName: 'parameters', PolicyDocument }));
      const parameter = { Type: 'SecureString', Value: 'hidden', Overwrite: true } as const;
      const read = (Name: string) => new ssm.GetParameterCommand({ Name, WithDecryption: true });
      await clients.ada.send(new ssm.PutParameterCommand({ ...parameter, Name: '/managed' }));
      assert.equal((await clients.ada.send(read('/managed'))).Parameter?.Value, 'hidden');
      const KeyId = await create();
      await clients.root.send(new ssm.PutParameterCommand({ ...parameter, Name: '/own', KeyId }));
      await assert.rejects(clients.ada.send(read('/own')), denied);
      const via = { StringEquals: { 'kms:ViaService': 'ssm.us-east-1.amazonaws.com' } };
      const Policy = document(allow(ROOT, 'kms:*'), allow(ADA, 'kms:Decrypt', { Condition: via }));
      await root.send(new kms.PutKeyPolicyCommand({ KeyId, Policy }));
      assert.equal((await clients.ada.send(read('/own'))).Parameter?.Value, 'hidden');
      const { CiphertextBlob } = await root.send(new kms.EncryptCommand({ KeyId, Plaintext }));
      await assert.rejects(ada.send(new kms.DecryptCommand({ CiphertextBlob })), denied);
    } finally {
      for (const client of Object.values(clients)) client.destroy();
    }
  });
});
