import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type LambdaServer, ROLE, startLambdaServer, zipOf } from './lambda-server.ts';

const AWS = '/usr/bin/aws';
const run = promisify(execFile);

describe('Lambda through the AWS CLI', { skip: existsSync(AWS) ? false : `${AWS} is not installed` }, () => {
  let server: LambdaServer;
  let directory: string;

  before(async () => {
    server = await startLambdaServer();
    directory = await mkdtemp(join(tmpdir(), 'lambda-cli-'));
    await writeFile(
      join(directory, 'code.zip'),
      await zipOf({ 'index.js': 'exports.handler = async (event) => ({ got: event, stage: process.env.STAGE });' }),
    );
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function aws(...args: string[]): Promise<Record<string, unknown>> {
    const { stdout } = await run(AWS, ['--endpoint-url', server.endpoint, '--output', 'json', 'lambda', ...args], {
      cwd: directory,
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        AWS_ACCESS_KEY_ID: 'test',
        AWS_SECRET_ACCESS_KEY: 'test',
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_PAGER: '',
      },
    });
    return stdout === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  }

  it('creates, waits for, invokes, publishes, permits and deletes', async () => {
    const created = await aws(
      ...['create-function', '--function-name', 'cli', '--runtime', 'nodejs22.x', '--role', ROLE],
      ...['--handler', 'index.handler', '--zip-file', 'fileb://code.zip', '--environment', 'Variables={STAGE=dev}'],
    );
    assert.equal(created.FunctionArn, 'arn:aws:lambda:us-east-1:000000000000:function:cli');
    await aws('wait', 'function-active-v2', '--function-name', 'cli');
    const answer = await aws(
      ...['invoke', '--function-name', 'cli', '--payload', '{"n":1}', '--cli-binary-format', 'raw-in-base64-out'],
      'out.json',
    );
    assert.deepEqual(answer, { StatusCode: 200, ExecutedVersion: '$LATEST' });
    assert.deepEqual(JSON.parse(await readFile(join(directory, 'out.json'), 'utf8')), { got: { n: 1 }, stage: 'dev' });
    assert.equal((await aws('publish-version', '--function-name', 'cli')).Version, '1');
    await aws(
      ...['add-permission', '--function-name', 'cli', '--statement-id', 's3', '--action', 'lambda:InvokeFunction'],
      ...['--principal', 's3.amazonaws.com', '--source-arn', 'arn:aws:s3:::photos'],
    );
    assert.match(String((await aws('get-policy', '--function-name', 'cli')).Policy), /arn:aws:s3:::photos/);
    const event = await aws('invoke', '--function-name', 'cli', '--invocation-type', 'Event', 'out.json');
    assert.deepEqual(event, { StatusCode: 202 });
    const list = await aws('list-functions');
    assert.equal((list.Functions as unknown[]).length, 1);
    await aws('delete-function', '--function-name', 'cli');
  });

  it('says what was refused as AWS does', async () => {
    await assert.rejects(
      aws('get-function', '--function-name', 'none'),
      (error: { stderr?: string; code?: number }) => {
        assert.equal(error.code, 254);
        assert.match(
          error.stderr ?? '',
          /An error occurred \(ResourceNotFoundException\) when calling the GetFunction operation: Function not found: arn:aws:lambda:us-east-1:000000000000:function:none/,
        );
        return true;
      },
    );
  });
});
