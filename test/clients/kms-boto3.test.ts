import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('KMS by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('encrypts, signs, authenticates and manages', async () => {
    const output = await server.boto3(`
import hashlib
kms = client("kms")
key = kms.create_key(Description="boto", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
assert key["KeyState"] == "Enabled" and key["KeySpec"] == "SYMMETRIC_DEFAULT", key
kms.create_alias(AliasName="alias/boto", TargetKeyId=key["KeyId"])
sealed = kms.encrypt(KeyId="alias/boto", Plaintext="grün".encode(), EncryptionContext={"k": "ü"})
assert sealed["KeyId"] == key["Arn"]
assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"k": "ü"})["Plaintext"] == "grün".encode()
for call, code in [
    (lambda: kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"]), "InvalidCiphertextException"),
    (lambda: kms.describe_key(KeyId="alias/none"), "NotFoundException"),
    (lambda: kms.generate_data_key(KeyId="alias/boto"), "ValidationException"),
    (lambda: kms.sign(KeyId=key["KeyId"], Message=b"x", SigningAlgorithm="ECDSA_SHA_256"), "InvalidKeyUsageException"),
]:
    try:
        call()
        raise AssertionError(code + " was not thrown")
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
assert len(kms.generate_data_key(KeyId="alias/boto", KeySpec="AES_128")["Plaintext"]) == 16
assert len(kms.generate_random(NumberOfBytes=40)["Plaintext"]) == 40
signer = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
digest = hashlib.sha256(b"message").digest()
for algorithm in ["RSASSA_PSS_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256"]:
    made = kms.sign(KeyId=signer, Message=digest, MessageType="DIGEST", SigningAlgorithm=algorithm)
    assert kms.verify(KeyId=signer, Message=b"message", Signature=made["Signature"], SigningAlgorithm=algorithm)["SignatureValid"]
mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
made = kms.generate_mac(KeyId=mac, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
assert kms.verify_mac(KeyId=mac, Message=b"message", MacAlgorithm="HMAC_SHA_256", Mac=made)["MacValid"]
kms.enable_key_rotation(KeyId=key["KeyId"])
assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
assert policy["Statement"][0]["Principal"]["AWS"] == "arn:aws:iam::000000000000:root"
kms.schedule_key_deletion(KeyId=mac, PendingWindowInDays=7)
print(kms.describe_key(KeyId=mac)["KeyMetadata"]["KeyState"], len(kms.get_paginator("list_keys").paginate().build_full_result()["Keys"]))
`);
    assert.equal(output, 'PendingDeletion 3');
  });
});
