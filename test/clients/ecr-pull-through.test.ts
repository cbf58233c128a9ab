import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as ecr from '@aws-sdk/client-ecr';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { eventually } from '../support/eventually.ts';
import { run, without, writeLayout } from '../support/image-tools.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

/** `upstream` with the password `secret`, as `htpasswd -B` writes it. */
const HTPASSWD = 'upstream:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';
const skip = without('docker-registry') || without('skopeo');

let server: RunningKobune;
let client: ecr.ECRClient;
let upstream: ChildProcess;
let upstreamPort: number;
let layout: string;
let digests: { readonly manifest: string; readonly layer: string };

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Debian's registry, which wants a password. */
async function startUpstream(scratch: string): Promise<void> {
  upstreamPort = await freePort();
  const passwords = join(scratch, 'htpasswd');
  await writeFile(passwords, HTPASSWD);
  const configuration = join(scratch, 'upstream.yml');
  await writeFile(
    configuration,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(scratch, 'upstream') } },
      http: { addr: `127.0.0.1:${upstreamPort}` },
      auth: { htpasswd: { realm: 'upstream', path: passwords } },
    }),
  );
  upstream = spawn('docker-registry', ['serve', configuration], { stdio: 'ignore' });
  await eventually(async () => (await fetch(`http://127.0.0.1:${upstreamPort}/v2/`).catch(() => undefined))?.status);
}

async function stopUpstream(): Promise<void> {
  if (!upstream || upstream.exitCode !== null || upstream.signalCode !== null) return;
  upstream.kill();
  await once(upstream, 'exit');
}

describe('ECR pull through cache, from a registry of Debian', { skip, timeout: 90_000 }, () => {
  before(async () => {
    server = await runKobune();
    client = new ecr.ECRClient(server.settings());
    await startUpstream(server.scratch);
    layout = join(server.scratch, 'layout');
    digests = await writeLayout(layout, { 'etc/motd': 'from upstream' });
    const target = `docker://127.0.0.1:${upstreamPort}/library/app:v1`;
    const credentials = ['--dest-tls-verify=false', '--dest-creds', 'upstream:secret'];
    await run('skopeo', ['copy', ...credentials, `oci:${layout}:v1`, target]);
    const secrets = new SecretsManagerClient(server.settings());
    const SecretString = JSON.stringify({ username: 'upstream', accessToken: 'secret' });
    const { ARN } = await secrets.send(new CreateSecretCommand({ Name: 'ecr-pullthroughcache/up', SecretString }));
    secrets.destroy();
    await client.send(
      new ecr.CreatePullThroughCacheRuleCommand({
        ecrRepositoryPrefix: 'up',
        upstreamRegistryUrl: `http://127.0.0.1:${upstreamPort}`,
        credentialArn: ARN!,
      }),
    );
  });
  after(async () => {
    await stopUpstream();
    client?.destroy();
    await server?.[Symbol.asyncDispose]();
  });

  const name = (rest: string) =>
    `docker://localhost:${server.port}/000000000000.dkr.ecr.us-east-1.amazonaws.com/${rest}`;

  it('finds the upstream, with the credentials of a secret', async () => {
    const rule = { ecrRepositoryPrefix: 'up' };
    const { isValid, failure } = await client.send(new ecr.ValidatePullThroughCacheRuleCommand(rule));
    assert.deepEqual([isValid, failure], [true, undefined]);
  });

  it('pulls an image through, and has it from then on', async () => {
    const to = join(server.scratch, 'pulled');
    await run('skopeo', ['copy', '--src-tls-verify=false', name('up/library/app:v1'), `dir:${to}`]);
    const { imageDetails } = await client.send(new ecr.DescribeImagesCommand({ repositoryName: 'up/library/app' }));
    assert.deepEqual(
      imageDetails!.map(({ imageDigest, imageTags }) => [imageDigest, imageTags]),
      [[digests.manifest, ['v1']]],
    );
    const missing = run('skopeo', ['inspect', '--tls-verify=false', name('up/library/none:v1')]);
    await assert.rejects(missing, /not known|unknown/);
  });

  it('gives what it has when the upstream is gone', async () => {
    await stopUpstream();
    assert.match(await run('skopeo', ['inspect', '--tls-verify=false', name('up/library/app:v1')]), /"Digest"/);
    const { isValid, failure } = await client.send(
      new ecr.ValidatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'up' }),
    );
    assert.equal(isValid, false);
    assert.match(failure!, /127\.0\.0\.1/);
  });
});
