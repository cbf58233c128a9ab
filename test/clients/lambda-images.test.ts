import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CloudWatchLogsClient, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import * as lambda from '@aws-sdk/client-lambda';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { runEvent } from '../../src/functions/test-support/busybox-image.ts';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { BASE, FunctionImages, IMAGE_ROLE, REGISTRY } from '../support/function-images.ts';
import { type RunningKobune, runKobune, withoutBoto3, withoutCli } from '../support/running-kobune.ts';
import { zipOf } from '../support/zip.ts';

const GRACE_MS = 16 * 60_000;

describe('Lambda functions from images', { skip: noDockerReason(DOCKER_28), timeout: 240_000 }, () => {
  let server: RunningKobune;
  let images: FunctionImages;
  let uri: string;
  before(async () => {
    server = await runKobune();
    const { scratch } = server;
    images = await FunctionImages.start({ dataDirectory: join(scratch, 'data'), scratch, settings: server.settings() });
    uri = await images.push(BASE, 'shop:1');
  });
  after(async () => {
    images?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** A new image under `name`, whose `/version` says which. */
  async function release(name: string, version: string): Promise<string> {
    await images.build(`${name.replace(/:.*/, '')}-${version}`, `FROM ${BASE}\nCOPY version /`, { version });
    return images.push(`${name.replace(/:.*/, '')}-${version}`, name);
  }

  const refused = (call: Promise<unknown>, name: string, message: RegExp) =>
    assert.rejects(call, (error: Error) => {
      assert.equal(error.name, name, error.message);
      assert.match(error.message, message);
      return true;
    });

  it('are built, pushed, made and invoked, and shown with the digest that the tag meant', async () => {
    const made = await images.create('shop', uri, { Environment: { Variables: { STAGE: 'test' } } });
    assert.equal(made.PackageType, 'Image');
    assert.match(made.CodeSha256!, /^[0-9a-f]{64}$/);
    const { output, log, version } = await images.run('shop', 'echo $STAGE $AWS_LAMBDA_FUNCTION_NAME');
    assert.equal(output, 'test shop\n');
    assert.equal(version, '$LATEST');
    assert.match(log, /^START RequestId: .*\nserved .*\nEND RequestId: .*\nREPORT .*Init Duration: /);
    const { Code, Configuration } = await images.lambda.send(new lambda.GetFunctionCommand({ FunctionName: 'shop' }));
    assert.equal(Code!.ImageUri, uri);
    assert.equal(Code!.ResolvedImageUri, `${REGISTRY}/shop@sha256:${made.CodeSha256}`);
    assert.equal(Code!.RepositoryType, 'ECR');
    assert.equal(Code!.Location, undefined);
    assert.equal(Configuration!.Runtime, undefined);
    const logs = new CloudWatchLogsClient(server.settings());
    const events = await eventually(async () => {
      const { events = [] } = await logs.send(new FilterLogEventsCommand({ logGroupName: '/aws/lambda/shop' }));
      return events.some(({ message }) => message?.startsWith('REPORT')) ? events : undefined;
    });
    logs.destroy();
    assert.ok(events.some(({ message }) => message?.startsWith('served ')));
  });

  it('change nothing of what images are called here', async () => {
    const named = (await images.docker(['images', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n');
    assert.deepEqual(
      named.filter((name) => name.includes('amazonaws')),
      [],
    );
  });

  it('reach the cloud by its own names, with certificates that they can check', async () => {
    const { output } = await images.run(
      'shop',
      'nslookup sqs.us-east-1.amazonaws.com | sed -n "s/^Address: //p"; echo $AWS_ENDPOINT_URL; ' +
        'for f in $AWS_CA_BUNDLE $NODE_EXTRA_CA_CERTS $SSL_CERT_FILE $REQUESTS_CA_BUNDLE; do head -1 $f; done',
    );
    const [name, url, ...rest] = output!.trim().split('\n').filter(Boolean);
    assert.match(name!, /^169\.254\.\d+\.\d+$/);
    assert.equal(url, `http://${name}:4566`);
    assert.deepEqual(rest, Array(4).fill('-----BEGIN CERTIFICATE-----'));
  });

  it('are started with what ImageConfig has in place of the image’s own', async () => {
    const ImageConfig = { EntryPoint: ['/bin/sh', '/runtime'], Command: ['a b', '$c'], WorkingDirectory: '/bin' };
    await images.create('configured', uri, { ImageConfig });
    assert.equal((await images.run('configured', 'pwd; printf "<%s>" "$@"')).output, '/bin\n<a b><$c>');
    const changed = await images.lambda.send(
      new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'configured', ImageConfig: { Command: ['d'] } }),
    );
    assert.deepEqual(changed.ImageConfigResponse, { ImageConfig: { Command: ['d'] } });
    await images.active('configured');
    assert.equal((await images.run('configured', 'pwd; echo "$@"')).output, '/\nd\n');
    await images.lambda.send(
      new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'configured', ImageConfig: {} }),
    );
    await images.active('configured');
    assert.equal((await images.run('configured', 'echo $#')).output, '0\n');
  });

  it('keep the image of a tag until their code is updated; versions keep theirs, and aliases lead to them', async () => {
    const tagged = await release('moving:latest', 'one');
    await images.create('moving', tagged, { Publish: true });
    const alias = { FunctionName: 'moving', Name: 'live', FunctionVersion: '1' };
    await images.lambda.send(new lambda.CreateAliasCommand(alias));
    await release('moving:latest', 'two');
    assert.equal((await images.run('moving', 'cat /version')).output, 'one');
    await images.lambda.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'moving', Timeout: 21 }));
    await images.active('moving');
    assert.equal((await images.run('moving', 'cat /version')).output, 'one');
    await images.update('moving', tagged);
    assert.equal((await images.run('moving', 'cat /version')).output, 'two');
    const live = await images.run('moving', 'cat /version; echo " $AWS_LAMBDA_FUNCTION_VERSION"', 'live');
    assert.deepEqual([live.output, live.version], ['one 1\n', '1']);
    const { CodeSha256 } = await images.lambda.send(
      new lambda.PublishVersionCommand({ FunctionName: 'moving', Description: 'second' }),
    );
    const byDigest = `${REGISTRY}/moving@sha256:${CodeSha256}`;
    await images.create('pinned', byDigest);
    assert.equal((await images.run('pinned', 'cat /version')).output, 'two');
  });

  it('fail as on Lambda when they cannot be started, or end', async () => {
    const cases: readonly [string, lambda.ImageConfig, RegExp][] = [
      ['Runtime.InvalidEntrypoint', { EntryPoint: ['/nosuch'] }, /fork\/exec \/nosuch: no such file or directory$/],
      ['Runtime.InvalidWorkingDir', { WorkingDirectory: '/nosuch' }, /chdir \/nosuch: no such file or directory$/],
      ['Runtime.ExitError', { EntryPoint: ['/bin/sh', '-c', 'exit 9'] }, /Runtime exited with error: exit status 9$/],
    ];
    for (const [i, [type, ImageConfig, message]] of cases.entries()) {
      await images.create(`failing${i}`, uri, { ImageConfig });
      const { error, value, log } = await images.run(`failing${i}`, 'true');
      assert.equal(error, 'Unhandled');
      assert.equal(value.errorType, type);
      assert.match(value.errorMessage, message);
      assert.match(log, new RegExp(`\n${type.replace('.', '\\.')}\nEND `));
    }
  });

  it('have the limits of other functions: time, memory, /tmp', async () => {
    await images.create('limited', uri, { Timeout: 1, MemorySize: 128, EphemeralStorage: { Size: 600 } });
    const { output } = await images.run('limited', 'df -m /tmp | tail -1 | tr -s " " | cut -d" " -f2; touch /x 2>&1');
    assert.equal(output, '600\ntouch: /x: Read-only file system\n');
    const slow = await images.run('limited', 'sleep 5');
    assert.match(slow.value.errorMessage, /Task timed out after 1\.00 seconds$/);
    await images.lambda.send(new lambda.UpdateFunctionConfigurationCommand({ FunctionName: 'limited', Timeout: 20 }));
    await images.active('limited');
    const large = await images.run('limited', 'dd if=/dev/zero of=/dev/null bs=200M count=1');
    assert.equal(large.value.errorType, 'Runtime.OutOfMemory');
  });

  it('run an image that is a single program, without a shell or any library', async () => {
    const script = [
      'api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime',
      'while /busybox wget -q -S -O /tmp/e $api/invocation/next 2>/tmp/h; do',
      "id=$(/busybox sed -n 's/^ *Lambda-Runtime-Aws-Request-Id: *//p' /tmp/h | /busybox tr -d '\\r')",
      'answer=$(/busybox ls / | /busybox tr "\\n" " ")',
      '/busybox wget -q -O /dev/null --post-data "\\"$answer\\"" $api/invocation/$id/response',
      'done',
    ].join('\n');
    await images.build(
      'single',
      `FROM scratch\nCOPY --from=${BASE} /bin/busybox /busybox\nENTRYPOINT ["/busybox", "sh", "-c"]`,
    );
    const single = await images.push('single', 'single:1');
    await images.create('single', single, { ImageConfig: { Command: [script] } });
    const { value, log } = await images.invoke('single', null);
    assert.equal(value, 'busybox dev etc proc run tmp ', log);
  });

  it('are refused with the words of Lambda', async () => {
    const create = (changes: Partial<lambda.CreateFunctionCommandInput>) =>
      images.lambda.send(
        new lambda.CreateFunctionCommand({
          FunctionName: 'refused',
          Role: IMAGE_ROLE,
          PackageType: 'Image',
          Code: { ImageUri: uri },
          ...changes,
        }),
      );
    const wrong = 'InvalidParameterValueException';
    const missing = [`${REGISTRY}/shop:nosuch`, `${REGISTRY}/nosuch:1`, `${REGISTRY}/shop@sha256:${'0'.repeat(64)}`];
    for (const ImageUri of missing) {
      await refused(create({ Code: { ImageUri } }), wrong, /^Source image \S+ does not exist\. Provide a valid/);
    }
    await refused(create({ Code: { ImageUri: `${REGISTRY}/shop` } }), wrong, /is not valid\. Provide a valid/);
    await refused(
      create({ PackageType: 'Zip' }),
      wrong,
      /provide ImageUri when creating a function with packageType Zip/,
    );
    await refused(create({ Runtime: 'nodejs22.x' }), wrong, /provide Handler or Runtime or Layer when/);
    const ZipFile = await zipOf({ 'index.js': '' });
    await refused(
      create({ Code: { ZipFile } }),
      wrong,
      /provide ImageUri when creating a function with packageType Image/,
    );
    const update = new lambda.UpdateFunctionCodeCommand({ FunctionName: 'shop', ZipFile });
    await refused(
      images.lambda.send(update),
      wrong,
      /provide ImageUri when updating a function with packageType Image/,
    );
  });

  it('keep an image that a version names from being removed, and let it go with the last', async () => {
    const kept = await release('kept:1', 'kept');
    await images.create('kept', kept, { Publish: true });
    assert.equal((await images.run('kept', 'cat /version')).output, 'kept');
    const id = await images.docker(['image', 'inspect', '-f', '{{.Id}}', 'kept-kept']);
    await assert.rejects(images.docker(['rmi', 'kept-kept']), /conflict: unable to remove .* - lambda is using/);
    await assert.rejects(
      images.docker(['rmi', '-f', id]),
      /conflict: .* \(cannot be forced\) - image is being used by lambda/,
    );
    await images.lambda.send(new lambda.DeleteFunctionCommand({ FunctionName: 'kept', Qualifier: '1' }));
    await images.update('kept', uri);
    await moveClock(server, GRACE_MS);
    await eventually(async () => {
      const left = readFileSync('/proc/self/mounts', 'utf8').includes(`function-${id.slice('sha256:'.length, 20)}`);
      return left ? undefined : true;
    });
    await images.docker(['rmi', 'kept-kept']);
    assert.equal((await images.run('kept', 'ls /version 2>&1')).output, 'ls: /version: No such file or directory\n');
  });

  it('of which nobody has a name go with the last function that has them', async () => {
    const once = await release('once:1', 'once');
    await images.create('once', once);
    await images.docker(['rmi', '-f', 'once-once']);
    assert.equal((await images.run('once', 'cat /version')).output, 'once');
    const count = async () => (await images.docker(['images', '-aq', '--no-trunc'])).split('\n').length;
    const before = await count();
    await images.lambda.send(new lambda.DeleteFunctionCommand({ FunctionName: 'once' }));
    await moveClock(server, GRACE_MS);
    await eventually(async () => ((await count()) < before ? true : undefined));
  });

  it('by boto3', { skip: withoutBoto3 }, async () => {
    const script = `
awslambda = client("lambda")
made = awslambda.create_function(FunctionName="boto", Role="${IMAGE_ROLE}", PackageType="Image", Code={"ImageUri": "${uri}"},
  ImageConfig={"Command": ["from", "boto3"]}, Timeout=20)
awslambda.get_waiter("function_active_v2").wait(FunctionName="boto", WaiterConfig={"Delay": 1})
answer = awslambda.invoke(FunctionName="boto", Payload=json.dumps(${JSON.stringify(runEvent('echo "$@"'))}))
got = awslambda.get_function(FunctionName="boto")
print(json.dumps([made["PackageType"], json.loads(answer["Payload"].read()), got["Code"]["ResolvedImageUri"], got["Configuration"]["ImageConfigResponse"]]))
try:
  awslambda.create_function(FunctionName="boto2", Role="${IMAGE_ROLE}", PackageType="Image", Code={"ImageUri": "${REGISTRY}/nosuch:1"})
except ClientError as error:
  print(error.response["Error"]["Code"])
`;
    const [first, second] = (await server.boto3(script)).split('\n');
    const [type, answer, resolved, config] = JSON.parse(first!);
    assert.equal(type, 'Image');
    assert.equal(Buffer.from(answer, 'base64').toString(), 'from boto3\n');
    assert.match(resolved, /\/shop@sha256:[0-9a-f]{64}$/);
    assert.deepEqual(config, { ImageConfig: { Command: ['from', 'boto3'] } });
    assert.equal(second, 'InvalidParameterValueException');
  });

  it('by the CLI', { skip: withoutCli }, async () => {
    const code = ['--package-type', 'Image', '--code', `ImageUri=${uri}`, '--image-config', 'Command=from,cli'];
    const made = await server.cliJson([
      ...['lambda', 'create-function', '--function-name', 'cli', '--role', IMAGE_ROLE, '--timeout', '20', ...code],
    ]);
    assert.deepEqual(made.ImageConfigResponse, { ImageConfig: { Command: ['from', 'cli'] } });
    await images.active('cli');
    const payload = JSON.stringify(runEvent('echo "$@"'));
    const out = join(server.scratch, 'out.json');
    await server.cliJson([
      ...['lambda', 'invoke', '--function-name', 'cli', '--cli-binary-format', 'raw-in-base64-out'],
      ...['--payload', payload, out],
    ]);
    assert.equal(Buffer.from(JSON.parse(readFileSync(out, 'utf8')), 'base64').toString(), 'from cli\n');
    const updated = await server.cliJson([
      ...['lambda', 'update-function-code', '--function-name', 'cli', '--image-uri', uri],
    ]);
    assert.equal(updated.PackageType, 'Image');
  });

  it('of which nobody has a name go when the state of functions is reset', async () => {
    const lost = await release('lost:1', 'lost');
    await images.create('lost', lost);
    const id = await images.docker(['image', 'inspect', '-f', '{{.Id}}', 'lost-lost']);
    await images.docker(['rmi', '-f', 'lost-lost']);
    const ids = async () => (await images.docker(['images', '-aq', '--no-trunc'])).split('\n');
    assert.ok((await ids()).includes(id));
    const answer = await fetch(`${server.endpoint}/_kobune/reset`, {
      method: 'POST',
      headers: { 'x-kobune-admin': '1', 'content-type': 'application/json' },
      body: JSON.stringify({ service: 'lambda' }),
    });
    assert.ok(answer.ok, await answer.text());
    assert.ok(!(await ids()).includes(id));
  });
});
