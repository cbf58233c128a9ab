import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { CreateFunctionCommand, GetFunctionCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { ZipFile } from 'yazl';
import { root } from './support/source-files.ts';

const execute = promisify(execFile);
/** The Node that runs this test, first on PATH: that of the system may be too old. */
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const run = (program: string, words: readonly string[], cwd: string) => execute(program, [...words], { cwd, env });

/** What `npm pack` ships, installed where nothing else is. */
describe('the release', () => {
  let directory: string;
  let data: string;
  let endpoint: string;
  const kobune = (...words: string[]) => run('npx', ['kobune', ...words], directory);
  const client = () => ({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'kobune', secretAccessKey: 'kobune' },
  });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-release-'));
    data = join(directory, 'data');
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], root);
    const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
    await writeFile(join(directory, 'package.json'), '{"private":true}');
    const tarball = join(directory, packed.filename);
    await run('npm', ['install', '--no-audit', '--no-fund', tarball], directory);
    const up = await kobune('up', '--detach', '--port', '0', '--data', data, '--json');
    ({ endpoint } = JSON.parse(up.stdout));
  });
  after(async () => {
    await kobune('down', '--data', data).catch(() => {});
    await rm(directory, { recursive: true });
  });

  it('has the version of the project', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    assert.equal((await kobune('--version')).stdout, `${version}\n`);
  });

  it('answers an SDK', async () => {
    const sts = new STSClient(client());
    const { Account } = await sts.send(new GetCallerIdentityCommand({}));
    assert.equal(Account, '000000000000');
  });

  it('runs a function', async () => {
    const lambda = new LambdaClient(client());
    const zip = new ZipFile();
    zip.addBuffer(Buffer.from('exports.handler = async (event) => ({ twice: event.number * 2 });'), 'index.js');
    zip.end();
    const code = await buffer(zip.outputStream);
    await lambda.send(
      new CreateFunctionCommand({
        FunctionName: 'twice',
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Role: 'arn:aws:iam::000000000000:role/any',
        Code: { ZipFile: code },
      }),
    );
    const { Payload } = await lambda.send(new InvokeCommand({ FunctionName: 'twice', Payload: '{"number":21}' }));
    assert.equal(Buffer.from(Payload!).toString(), '{"twice":42}');
    const { Code } = await lambda.send(new GetFunctionCommand({ FunctionName: 'twice' }));
    assert.equal((await fetch(Code!.Location!)).status, 200);
    const invoked = await kobune('invoke', 'twice', '--payload', '{"number":4}', '--data', data);
    assert.equal(invoked.stdout, '{"twice":8}\n');
  });

  it('reads its configuration and examines the machine', async () => {
    await writeFile(join(directory, 'kobune.yaml'), 'port: no\n');
    await assert.rejects(kobune('up'), { code: 2, stderr: /kobune\.yaml:1: "port" must be a whole number/ });
    await rm(join(directory, 'kobune.yaml'));
    const { findings } = JSON.parse((await kobune('doctor', '--json')).stdout);
    assert.ok(findings.length > 10);
  });

  it('ends when told to', async () => {
    assert.match((await kobune('down', '--data', data)).stdout, /has ended/);
    await assert.rejects(fetch(endpoint));
  });
});
