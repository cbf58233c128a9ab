import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { runDemo } from '../../examples/thumbnails/deploy.ts';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';

const PICTURE = join(import.meta.dirname, '../../examples/thumbnails/harbour.jpg');
const withoutPillow =
  spawnSync('/usr/bin/python3', ['-c', 'import PIL']).status === 0
    ? false
    : 'Pillow is not installed (apt-get install python3-pil)';
const skip = withoutCli || withoutBoto3 || withoutPillow;

/** A function as people write it for AWS: no endpoint, no region, nothing that tells where it runs. */
const FUNCTION = `
import io
import boto3
from PIL import Image

s3 = boto3.client("s3")

def lambda_handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = record["s3"]["object"]["key"]
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        with Image.open(io.BytesIO(body)) as picture:
            picture.thumbnail((150, 150))
            out = io.BytesIO()
            picture.save(out, format="WEBP", quality=85)
        out.seek(0)
        s3.put_object(Bucket=bucket, Key="small/" + key, Body=out, ContentType="image/webp")
    return {"statusCode": 200}
`;

describe('thumbnails example', { skip }, () => {
  for (const iam of ['off', 'enforce'] as const) {
    it(`makes every thumbnail, cold and warm, with --iam ${iam}`, async () => {
      await using server = await runKobune({ iam });
      const lines: string[] = [];
      const { endpoint, root } = server;
      const good = await runDemo({ endpoint, credentials: root, print: (line) => lines.push(line) });
      const text = lines.join('\n');
      assert.equal(good, true, text);
      assert.equal(text.match(/REPORT RequestId: .*Init Duration/g)?.length, 2, text);
      assert.equal(text.match(/REPORT RequestId: /g)?.length, 4, text);
    });
  }
});

describe('a thumbnail function set up with the AWS CLI', { skip }, () => {
  let server: RunningKobune;
  before(async () => {
    server = await runKobune();
  });
  after(() => server[Symbol.asyncDispose]());

  it('runs as it stands when a picture is put, and its thumbnail is there', { timeout: 60_000 }, async () => {
    await writeFile(join(server.scratch, 'thumbnail.py'), FUNCTION);
    spawnSync('python3', ['-m', 'zipfile', '-c', 'function.zip', 'thumbnail.py'], { cwd: server.scratch });
    const aws = (...args: string[]) => server.cli(args);
    await aws('s3', 'mb', 's3://album');
    const { FunctionArn } = JSON.parse(
      await aws(
        ...['lambda', 'create-function', '--function-name', 'thumbnail', '--runtime', 'python3.9'],
        ...['--handler', 'thumbnail.lambda_handler', '--role', 'arn:aws:iam::000000000000:role/thumbnail'],
        ...['--zip-file', 'fileb://function.zip', '--timeout', '30', '--memory-size', '512'],
      ),
    );
    await aws('lambda', 'wait', 'function-active-v2', '--function-name', 'thumbnail');
    await aws(
      ...['lambda', 'add-permission', '--function-name', 'thumbnail', '--statement-id', 'album'],
      ...['--action', 'lambda:InvokeFunction', '--principal', 's3.amazonaws.com', '--source-arn', 'arn:aws:s3:::album'],
    );
    const notification = {
      LambdaFunctionConfigurations: [
        {
          LambdaFunctionArn: FunctionArn,
          Events: ['s3:ObjectCreated:*'],
          Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'in/' }] } },
        },
      ],
    };
    await aws(
      ...['s3api', 'put-bucket-notification-configuration', '--bucket', 'album'],
      ...['--notification-configuration', JSON.stringify(notification)],
    );
    await aws('s3', 'cp', PICTURE, 's3://album/in/harbour.jpg');
    await aws('s3api', 'wait', 'object-exists', '--bucket', 'album', '--key', 'small/in/harbour.jpg');
    await aws('s3', 'cp', 's3://album/small/in/harbour.jpg', 'thumbnail.webp');
    const { format, width, height } = await sharp(await readFile(join(server.scratch, 'thumbnail.webp'))).metadata();
    assert.deepEqual({ format, width, height }, { format: 'webp', width: 150, height: 100 });
  });
});
