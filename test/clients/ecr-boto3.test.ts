import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('ECR by boto3', { skip: withoutBoto3, timeout: 60_000 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('makes a repository, pushes an image in parts and finds it again', async () => {
    const output = await server.boto3(`
import base64, hashlib
ecr = client("ecr")
uri = ecr.create_repository(repositoryName="boto/app", imageTagMutability="IMMUTABLE")["repository"]["repositoryUri"]
print(uri)
def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()
def upload(data):
    upload_id = ecr.initiate_layer_upload(repositoryName="boto/app")["uploadId"]
    half = len(data) // 2
    for first, last in ((0, half - 1), (half, len(data) - 1)):
        ecr.upload_layer_part(repositoryName="boto/app", uploadId=upload_id, partFirstByte=first, partLastByte=last, layerPartBlob=data[first:last + 1])
    return ecr.complete_layer_upload(repositoryName="boto/app", uploadId=upload_id, layerDigests=[digest(data)])["layerDigest"]
config, layer = b'{"os":"linux"}', bytes(range(256)) * 1000
upload(config); upload(layer)
def manifest(note):
    return json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": len(layer)}],
        "annotations": {"note": note}})
image = ecr.put_image(repositoryName="boto/app", imageManifest=manifest("a"), imageTag="v1")["image"]
print(image["imageId"]["imageDigest"] == digest(manifest("a").encode()))
try:
    ecr.put_image(repositoryName="boto/app", imageManifest=manifest("b"), imageTag="v1")
except ecr.exceptions.ImageTagAlreadyExistsException:
    print("ImageTagAlreadyExistsException")
try:
    ecr.put_image(repositoryName="boto/app", imageManifest=manifest("a"), imageTag="v1")
except ecr.exceptions.ImageAlreadyExistsException:
    print("ImageAlreadyExistsException")
layers = ecr.batch_check_layer_availability(repositoryName="boto/app", layerDigests=[digest(layer), digest(b"none")])["layers"]
print([l["layerAvailability"] for l in layers])
print([d["imageSizeInBytes"] for page in ecr.get_paginator("describe_images").paginate(repositoryName="boto/app") for d in page["imageDetails"]])
token = ecr.get_authorization_token()["authorizationData"][0]
print(base64.b64decode(token["authorizationToken"])[:4], token["proxyEndpoint"])
import urllib.request
url = ecr.get_download_url_for_layer(repositoryName="boto/app", layerDigest=digest(layer))["downloadUrl"]
print(urllib.request.urlopen(url).read() == layer)
try:
    ecr.delete_repository(repositoryName="boto/app")
except ecr.exceptions.RepositoryNotEmptyException as error:
    print(error.response["Error"]["Code"])
print(ecr.batch_delete_image(repositoryName="boto/app", imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}])["failures"][0]["failureCode"])
ecr.delete_repository(repositoryName="boto/app")
`);
    assert.deepEqual(output.split('\n'), [
      '000000000000.dkr.ecr.us-east-1.amazonaws.com/boto/app',
      'True',
      'ImageTagAlreadyExistsException',
      'ImageAlreadyExistsException',
      "['AVAILABLE', 'UNAVAILABLE']",
      '[256014]',
      "b'AWS:' https://000000000000.dkr.ecr.us-east-1.amazonaws.com",
      'True',
      'RepositoryNotEmptyException',
      'ImageNotFound',
    ]);
  });

  it('sets policies, replication, caches and templates as an older SDK knows them', async () => {
    const output = await server.boto3(`
ecr = client("ecr")
ecr.create_repository(repositoryName="boto/settings", tags=[{"Key": "a", "Value": "1"}])
policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["ecr:BatchGetImage"]}]})
ecr.set_repository_policy(repositoryName="boto/settings", policyText=policy)
print(ecr.get_repository_policy(repositoryName="boto/settings")["policyText"] == policy)
ecr.put_replication_configuration(replicationConfiguration={"rules": [{"destinations": [{"region": "eu-west-1", "registryId": "000000000000"}]}]})
print(ecr.describe_registry()["replicationConfiguration"]["rules"][0]["destinations"])
ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
print([(r["ecrRepositoryPrefix"], r["upstreamRegistryUrl"]) for r in ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]])
arn = ecr.describe_repositories()["repositories"][0]["repositoryArn"]
ecr.untag_resource(resourceArn=arn, tagKeys=["a"])
print(ecr.list_tags_for_resource(resourceArn=arn)["tags"])
try:
    ecr.put_image_scanning_configuration(repositoryName="boto/settings", imageScanningConfiguration={"scanOnPush": True})
except ClientError as error:
    print(error.response["Error"]["Code"])
`);
    assert.deepEqual(output.split('\n'), [
      'True',
      "[{'region': 'eu-west-1', 'registryId': '000000000000'}]",
      "[('quay', 'quay.io')]",
      '[]',
      'NotImplemented',
    ]);
  });
});
