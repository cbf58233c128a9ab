import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type RunningKobune, runKobune, withoutBoto3 } from '../support/running-kobune.ts';

describe('SSM by boto3', { skip: withoutBoto3 }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('puts, labels, filters and deletes parameters', async () => {
    const output = await server.boto3(`
ssm = client("ssm")
ssm.put_parameter(Name="/boto/a", Value="one", Type="String", Tags=[{"Key": "team", "Value": "red"}])
ssm.put_parameter(Name="/boto/a", Value="two", Overwrite=True)
ssm.put_parameter(Name="/boto/s", Value="geheim", Type="SecureString", Tier="Advanced")
ssm.label_parameter_version(Name="/boto/a", ParameterVersion=1, Labels=["prod"])
print(ssm.get_parameter(Name="/boto/a:prod")["Parameter"]["Value"])
found = ssm.get_parameters(Names=["/boto/s", "/boto/x"], WithDecryption=True)
print([p["Value"] for p in found["Parameters"]], found["InvalidParameters"])
pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=[{"Key": "Path", "Values": ["/boto"]}], PaginationConfig={"PageSize": 1})
print([p["Name"] for page in pages for p in page["Parameters"]])
print([p["Labels"] for p in ssm.get_parameter_history(Name="/boto/a")["Parameters"]])
print(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/boto/a")["TagList"])
try:
    ssm.put_parameter(Name="boto", Value="{{x}}", Type="String")
except ClientError as error:
    print(error.response["Error"]["Code"])
try:
    ssm.describe_parameters(ParameterFilters=[{"Key": "Label", "Values": ["x"]}])
except ssm.exceptions.InvalidFilterKey:
    print("InvalidFilterKey")
print(ssm.delete_parameters(Names=["/boto/a", "/boto/s", "/boto/x"])["InvalidParameters"])
`);
    assert.deepEqual(output.split('\n'), [
      'one',
      "['geheim'] ['/boto/x']",
      "['/boto/a', '/boto/s']",
      "[['prod'], []]",
      "[{'Key': 'team', 'Value': 'red'}]",
      'ValidationException',
      'InvalidFilterKey',
      "['/boto/x']",
    ]);
  });
});
