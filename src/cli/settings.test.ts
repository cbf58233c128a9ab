import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readSettings, type SettingSources } from './settings.ts';

describe('settings', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-settings-'));
  });
  after(() => rm(directory, { recursive: true }));

  const read = (sources: Partial<SettingSources>) =>
    readSettings({ flags: {}, environment: {}, workingDirectory: directory, ...sources });
  const withFile = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  };
  const fails = (sources: Partial<SettingSources>, message: RegExp) =>
    assert.rejects(read(sources), { name: 'CommandError', exitCode: 2, message });

  it('have defaults', async () => {
    const { port, host, iam, ephemeral } = await read({});
    assert.deepEqual({ port, host, iam, ephemeral }, { port: 4566, host: '127.0.0.1', iam: 'off', ephemeral: false });
  });

  it('come from a flag before a variable before the file', async () => {
    const config = await withFile('order.yaml', 'port: 1000\nlogLevel: debug\niam: enforce\n');
    const settings = await read({
      flags: { config, port: '3000' },
      environment: { KOBUNE_PORT: '2000', KOBUNE_LOG_LEVEL: 'warn' },
    });
    assert.deepEqual([settings.port, settings.logLevel, settings.iam], [3000, 'warn', 'enforce']);
  });

  it('are read from kobune.yaml of the working directory, paths relative to it', async () => {
    await withFile('kobune.yaml', '# ours\ndata: state\nhosts: [a.test, b.test]\n');
    const { data, hosts } = await read({});
    assert.deepEqual({ data, hosts }, { data: join(directory, 'state'), hosts: ['a.test', 'b.test'] });
    await rm(join(directory, 'kobune.yaml'));
  });

  it('take mirrors of registries, and the Docker API by TLS', async () => {
    const flags = { registryMirrors: 'docker.io=https://mirror.test, ghcr.io=http://m.test/x', dockerPort: '2376' };
    const settings = await read({ flags });
    assert.deepEqual(settings.registryMirrors, ['docker.io=https://mirror.test', 'ghcr.io=http://m.test/x']);
    assert.equal(settings.dockerPort, 2376);
    assert.equal((await read({})).dockerPort, 'off');
    await fails({ flags: { registryMirrors: 'docker.io' } }, /--registry-mirrors must be a list of registries with/);
    await fails({ flags: { dockerPort: '4566' } }, /--docker-port 4566 is the port of the other APIs$/);
    await fails({ flags: { dockerPort: '70000' } }, /--docker-port must be off or a whole number/);
  });

  it('name file, line and key of a value that is wrong', async () => {
    const config = await withFile('wrong.yaml', 'host: 127.0.0.1\n\nport: many\n');
    await fails({ flags: { config } }, /wrong\.yaml:3: "port" must be a whole number from 0 to 65535.*, not "many"$/);
  });

  it('name file, line and key of a setting that does not exist', async () => {
    const config = await withFile('unknown.yaml', 'port: 1\nprot: 2\n');
    await fails({ flags: { config } }, /unknown\.yaml:2: "prot" is not a setting/);
  });

  it('name the line that is not YAML, and a key given twice', async () => {
    const broken = await withFile('broken.yaml', 'port: 1\nhost: [\n');
    await fails({ flags: { config: broken } }, /broken\.yaml:[23]: /);
    const twice = await withFile('twice.yaml', 'port: 1\nport: 2\n');
    await fails({ flags: { config: twice } }, /twice\.yaml:2: Map keys must be unique/);
  });

  it('refuse a file that is not there only when it was named', async () => {
    await read({});
    await fails({ environment: { KOBUNE_CONFIG: 'missing.yaml' } }, /cannot read .*missing\.yaml/);
  });

  it('name the variable or flag that is wrong', async () => {
    await fails(
      { environment: { KOBUNE_EPHEMERAL: 'maybe' } },
      /^KOBUNE_EPHEMERAL must be true or false, not "maybe"$/,
    );
    await fails({ environment: { KOBUNE_PROT: '1' } }, /^KOBUNE_PROT is not a setting$/);
    await fails({ flags: { logLevel: 'loud' } }, /^--log-level must be one of debug, info, warn, error, not "loud"$/);
  });

  it('leave the variables alone that name interpreters', async () => {
    await read({ environment: { KOBUNE_NODE_22: '/opt/node22/bin/node' } });
  });

  it('refuse an address that others can reach, unless every request is verified', async () => {
    await fails({ flags: { host: '0.0.0.0' } }, /can be reached from the network/);
    assert.equal((await read({ flags: { host: '0.0.0.0', iam: 'enforce' } })).host, '0.0.0.0');
    for (const host of ['127.0.0.2', 'localhost', '::1']) assert.equal((await read({ flags: { host } })).host, host);
  });
});
