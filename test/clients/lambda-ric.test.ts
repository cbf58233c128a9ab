import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as lambda from '@aws-sdk/client-lambda';
import { DOCKER_28, noDockerReason } from '../../src/docker/testing/test-docker.ts';
import { FunctionImages } from '../support/function-images.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';
import { withoutClient, writeNodeRoot } from '../support/runtime-interface-client.ts';

const DOCKERFILE = `
FROM scratch
COPY root /
WORKDIR /var/task
ENTRYPOINT ["/usr/local/bin/node", "node_modules/aws-lambda-ric/bin/index.mjs"]
CMD ["app.handler"]
`;

const APP = `
exports.handler = async (event, context) => {
  if (event.fail) throw new TypeError('told to fail');
  if (event.fetch) {
    const answer = await fetch(event.fetch);
    return { status: answer.status, server: answer.headers.has('x-amzn-requestid') };
  }
  console.log('handling', JSON.stringify(event));
  return {
    event,
    name: context.functionName,
    version: context.functionVersion,
    arn: context.invokedFunctionArn,
    id: context.awsRequestId,
    left: context.getRemainingTimeInMillis(),
    client: context.clientContext,
    directory: process.cwd(),
    node: process.version,
  };
};
exports.other = async () => 'the other one';
exports.streamed = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('text/plain');
  for (const word of event) stream.write(word);
  stream.end();
});
`;

const skip = noDockerReason(DOCKER_28) || withoutClient;

describe("AWS's runtime interface client for Node.js", { skip, timeout: 240_000 }, () => {
  let server: RunningKobune;
  let images: FunctionImages;
  let uri: string;
  before(async () => {
    server = await runKobune();
    const { scratch } = server;
    images = FunctionImages.of({ dataDirectory: join(scratch, 'data'), scratch, settings: server.settings() });
    const context = await mkdtemp(join(scratch, 'ric-'));
    await writeNodeRoot(context, { 'app.js': APP });
    await images.build('ric', DOCKERFILE, {}, context);
    uri = await images.push('ric', 'ric:1');
    await images.create('ric', uri, { MemorySize: 512 });
  });
  after(async () => {
    images?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });

  it('hands events over with their context, and answers and logs of the handler back', async () => {
    const ClientContext = Buffer.from(JSON.stringify({ custom: { a: 1 } })).toString('base64');
    const answer = await images.lambda.send(
      new lambda.InvokeCommand({ FunctionName: 'ric', Payload: '{"text":"grüße 船"}', LogType: 'Tail', ClientContext }),
    );
    const { left, ...value } = JSON.parse(Buffer.from(answer.Payload!).toString());
    assert.deepEqual(value, {
      event: { text: 'grüße 船' },
      name: 'ric',
      version: '$LATEST',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:ric',
      id: answer.$metadata.requestId,
      client: { custom: { a: 1 } },
      directory: '/var/task',
      node: process.version,
    });
    assert.ok(left > 10_000 && left <= 20_000, `${left} ms are left`);
    const log = Buffer.from(answer.LogResult!, 'base64').toString();
    assert.match(log, new RegExp(`\\t${answer.$metadata.requestId}\\tINFO\\thandling \\{"text":"grüße 船"\\}\n`));
    const again = await images.invoke('ric', {});
    assert.doesNotMatch(again.log, /Init Duration/);
    assert.equal(again.value.name, 'ric');
  });

  it('tells errors of the handler, and of its loading', async () => {
    const failed = await images.invoke('ric', { fail: true });
    assert.equal(failed.error, 'Unhandled');
    assert.equal(failed.value.errorType, 'TypeError');
    assert.equal(failed.value.errorMessage, 'told to fail');
    assert.ok(failed.value.trace.length > 0);
    for (const [i, [handler, errorType]] of [
      ['app.nosuch', 'Runtime.HandlerNotFound'],
      ['nosuch.handler', 'Runtime.ImportModuleError'],
    ].entries()) {
      await images.create(`unloaded${i}`, uri, { MemorySize: 512, ImageConfig: { Command: [handler!] } });
      const unloaded = await images.invoke(`unloaded${i}`, {});
      assert.equal(unloaded.error, 'Unhandled');
      assert.equal(unloaded.value.errorType, errorType);
    }
  });

  it('runs another handler that the function names in place of the image’s', async () => {
    await images.create('other', uri, { MemorySize: 512, ImageConfig: { Command: ['app.other'] } });
    assert.equal((await images.invoke('other', {})).value, 'the other one');
  });

  it('streams responses', async () => {
    await images.create('streamed', uri, { MemorySize: 512, ImageConfig: { Command: ['app.streamed'] } });
    const answer = await images.lambda.send(
      new lambda.InvokeWithResponseStreamCommand({ FunctionName: 'streamed', Payload: '["one ","two ","three"]' }),
    );
    const chunks: Uint8Array[] = [];
    for await (const { PayloadChunk, InvokeComplete } of answer.EventStream!) {
      if (PayloadChunk?.Payload) chunks.push(PayloadChunk.Payload);
      assert.equal(InvokeComplete?.ErrorCode, undefined);
    }
    assert.equal(Buffer.concat(chunks).toString(), 'one two three');
  });

  it('reaches AWS’s names by HTTPS, which its Node trusts', async () => {
    const url = 'https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15';
    const { value } = await images.invoke('ric', { fetch: url });
    // It has sent no credentials; that it was answered so is what matters.
    assert.deepEqual(value, { status: 403, server: true });
  });
});
