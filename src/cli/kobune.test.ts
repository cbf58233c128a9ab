import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  CreateLogStreamCommand,
  PutLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs';

const command = fileURLToPath(new URL('./kobune.ts', import.meta.url));

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `kobune` as a user would, without the settings of whoever runs the tests. */
function kobune(words: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Result> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(?:KOBUNE|AWS|DOCKER|COMPOSE|FORCE_COLOR|NODE_EXTRA)/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), ...options.env };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...words], { cwd: options.cwd, env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

async function scratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'kobune-cli-'));
}

describe('kobune up, status and down', () => {
  let directory: string;
  let data: string;
  before(async () => {
    directory = await scratch();
    data = join(directory, 'data');
  });
  after(async () => {
    await kobune(['down', '--data', data]);
    await rm(directory, { recursive: true });
  });

  it('starts one in the background, tells where it is, and ends it', async () => {
    const up = await kobune(['up', '--detach', '--port', '0', '--data', data, '--json']);
    assert.equal(up.code, 0, up.err);
    const { pid, endpoint } = JSON.parse(up.out);
    const status = JSON.parse((await kobune(['status', '--data', data, '--json'])).out);
    assert.deepEqual([status.pid, status.endpoint, status.dataDirectory], [pid, endpoint, data]);
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    const down = await kobune(['down', '--data', data]);
    assert.deepEqual([down.code, down.out], [0, `Kobune (process ${pid}) has ended.\n`]);
    await assert.rejects(fetch(endpoint));
    assert.equal((await kobune(['status', '--data', data])).code, 3);
  });

  it('refuses a data directory or a port that is in use, saying by whom and what to do', async () => {
    const up = await kobune(['up', '--detach', '--port', '0', '--data', data, '--json']);
    const { pid, endpoint } = JSON.parse(up.out);
    const sameDirectory = await kobune(['up', '--detach', '--port', '0', '--data', data]);
    assert.equal(sameDirectory.code, 4);
    assert.match(
      sameDirectory.err,
      new RegExp(`${data} is in use by another Kobune \\(process ${pid}, ${endpoint}\\)`),
    );
    const { port } = new URL(endpoint);
    const samePort = await kobune(['up', '--port', port, '--data', join(directory, 'other')]);
    assert.equal(samePort.code, 4);
    assert.match(
      samePort.err,
      new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use by another program\\n {2}Choose another with --port`),
    );
    const words = ['up', '--port', '0', '--docker-port', port, '--data', join(directory, 'other')];
    const dockerPort = await kobune(words);
    assert.equal(dockerPort.code, 4);
    assert.match(
      dockerPort.err,
      new RegExp(
        `port ${port} on 127\\.0\\.0\\.1 is in use by another program\\n {2}Choose another with --docker-port`,
      ),
    );
    await kobune(['down', '--data', data]);
  });

  it('says that none runs, and how to start one', async () => {
    for (const words of [
      ['status'],
      ['env'],
      ['run', '--', 'true'],
      ['clock'],
      ['reset'],
      ['invoke', 'f'],
      ['logs', 'f'],
      ['outbox'],
      ['compose', 'ls'],
    ]) {
      const [name = '', ...rest] = words;
      const { code, err } = await kobune([name, '--data', join(directory, 'none'), ...rest]);
      assert.equal(code, 3, words.join(' '));
      assert.match(err, /no Kobune runs on .*none\n {2}Start one with "kobune up --detach --data/);
    }
  });

  it('ends on SIGTERM, leaving a directory that can be used again', async () => {
    const child = spawn(process.execPath, [command, 'up', '--port', '0', '--data', data, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
    const again = await kobune(['up', '--detach', '--port', '0', '--data', data]);
    assert.equal(again.code, 0, again.err);
    await kobune(['down', '--data', data]);
  });

  it('starts again after it was killed, with what had been acknowledged', async () => {
    const up = await kobune(['up', '--detach', '--port', '0', '--data', data, '--json']);
    await kobune(['clock', 'advance', '1h', '--data', data]);
    const { pid } = JSON.parse(up.out);
    process.kill(pid, 'SIGKILL');
    const again = await kobune(['up', '--detach', '--port', '0', '--data', data]);
    assert.equal(again.code, 0, again.err);
    const clock = JSON.parse((await kobune(['clock', '--data', data, '--json'])).out);
    assert.equal(clock.offsetMs, 3_600_000);
    await kobune(['down', '--data', data]);
  });

  it('keeps nothing with --ephemeral', async () => {
    const place = join(directory, 'ephemeral');
    await kobune(['up', '--detach', '--ephemeral', '--port', '0', '--data', place]);
    assert.equal(JSON.parse((await kobune(['status', '--data', place, '--json'])).out).dataDirectory, undefined);
    await kobune(['clock', 'freeze', '--data', place]);
    await kobune(['down', '--data', place]);
    await assert.rejects(stat(join(place, 'store')), { code: 'ENOENT' });
  });

  it('removes what a killed one with --ephemeral has left', async () => {
    const place = join(directory, 'ephemeral');
    const temporary = join(directory, 'temporary');
    await mkdir(temporary);
    const env = { TMPDIR: temporary };
    const up = ['up', '--detach', '--ephemeral', '--port', '0', '--data', place, '--json'];
    const { pid } = JSON.parse((await kobune(up, { env })).out);
    process.kill(pid, 'SIGKILL');
    assert.equal((await readdir(temporary)).length, 1);
    await kobune(up, { env });
    await kobune(['down', '--data', place]);
    assert.deepEqual(await readdir(temporary), []);
  });
});

describe('the commands for a running Kobune', () => {
  let directory: string;
  let data: string;
  let endpoint: string;
  before(async () => {
    directory = await scratch();
    data = join(directory, 'data');
    const { out, err, code } = await kobune(['up', '--detach', '--port', '0', '--data', data, '--json']);
    assert.equal(code, 0, err);
    ({ endpoint } = JSON.parse(out));
  });
  after(async () => {
    await kobune(['down', '--data', data]);
    await rm(directory, { recursive: true });
  });

  it('env prints variables that a shell takes as they are', async () => {
    const { out } = await kobune(['env', '--data', data]);
    const shell = await new Promise<string>((resolve, reject) => {
      const script = `${out}\nprintf '%s %s %s %s' "$AWS_ENDPOINT_URL" "$AWS_REGION" "$AWS_CA_BUNDLE" "$DOCKER_HOST"`;
      execFile('sh', ['-c', script], { env: {} }, (error, text) => (error ? reject(error) : resolve(text)));
    });
    const [url, region, bundle, docker] = shell.split(' ');
    assert.deepEqual([url, region], [endpoint, 'us-east-1']);
    assert.equal(docker, `unix://${data}/docker.sock`);
    assert.ok((await stat(docker!.slice('unix://'.length))).isSocket());
    assert.match(await readFile(bundle!, 'utf8'), /BEGIN CERTIFICATE/);
    const json = JSON.parse(
      (await kobune(['env', '--data', data, '--json'], { env: { AWS_REGION: 'eu-west-1' } })).out,
    );
    assert.deepEqual([json.AWS_ENDPOINT_URL, json.AWS_DEFAULT_REGION], [endpoint, 'eu-west-1']);
  });

  it('run gives a command the variables, its own arguments, and its exit status', async () => {
    const script = 'console.log(process.env.AWS_ENDPOINT_URL, process.argv.slice(1).join()); process.exit(7)';
    const words = ['run', '--data', data, '--', process.execPath, '-e', script, '--', '--json', '-x'];
    assert.deepEqual(await kobune(words), { code: 7, out: `${endpoint} --json,-x\n`, err: '' });
  });

  it('run does not pass on credentials of a session elsewhere', async () => {
    const script = 'console.log(process.env.AWS_SESSION_TOKEN ?? "none", process.env.AWS_ACCESS_KEY_ID)';
    const env = { AWS_SESSION_TOKEN: 'secret', AWS_ACCESS_KEY_ID: 'AKIAREAL' };
    const { out } = await kobune(['run', '--data', data, '--', process.execPath, '-e', script], { env });
    assert.equal(out, 'none kobune\n');
  });

  it('run leads Docker here, whatever was set to lead it elsewhere', async () => {
    const script = 'console.log(Object.keys(process.env).filter((name) => /^DOCKER/.test(name)).join())';
    const env = { DOCKER_HOST: 'tcp://x', DOCKER_CONTEXT: 'x', DOCKER_TLS: '1', DOCKER_TLS_VERIFY: '1' };
    const { out } = await kobune(['run', '--data', data, '--', process.execPath, '-e', script], { env });
    assert.equal(out, 'DOCKER_HOST\n');
  });

  it('run ends with 128 and the number of the signal that ended the command, and names a command that is not there', async () => {
    assert.equal((await kobune(['run', '--data', data, '--', 'sh', '-c', 'kill -TERM $$'])).code, 143);
    const missing = await kobune(['run', '--data', data, '--', 'no-such-command']);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /there is no command "no-such-command"/);
  });

  it('clock moves, freezes and shows time', async () => {
    const show = async (...words: string[]) =>
      JSON.parse((await kobune(['clock', ...words, '--data', data, '--json'])).out);
    const { offsetMs } = await show();
    assert.equal((await show('advance', '24h')).offsetMs, offsetMs + 86_400_000);
    assert.equal((await show('freeze')).frozen, true);
    assert.equal((await show()).now, (await show()).now);
    assert.equal((await show('unfreeze')).frozen, false);
    const wrong = await kobune(['clock', 'advance', 'tomorrow', '--data', data]);
    assert.deepEqual([wrong.code, /is not a duration/.test(wrong.err)], [2, true]);
  });

  it('reset deletes what is there, or says which services there are', async () => {
    const put = await fetch(`${endpoint}/kept`, { method: 'PUT' });
    assert.equal(put.status, 200);
    assert.equal((await kobune(['reset', 'logs', '--data', data])).code, 0);
    assert.equal((await fetch(`${endpoint}/kept`, { method: 'HEAD' })).status, 200);
    assert.equal((await kobune(['reset', '--data', data])).out, 'Everything has been deleted.\n');
    assert.equal((await fetch(`${endpoint}/kept`, { method: 'HEAD' })).status, 404);
    const listening = await stat(join(data, 'docker.sock'));
    const wrong = await kobune(['reset', 's4', '--data', data]);
    assert.deepEqual([wrong.code, /There is no service "s4"\. Served: .*s3/.test(wrong.err)], [1, true]);
    assert.equal((await stat(join(data, 'docker.sock'))).ino, listening.ino, 'what runs was ended');
  });

  it('logs prints what a log group holds, then what comes', async () => {
    const client = new CloudWatchLogsClient({
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'kobune', secretAccessKey: 'kobune' },
    });
    const stream = { logGroupName: '/ours/app', logStreamName: 'one' };
    const put = async (message: string) => {
      const { now } = JSON.parse((await kobune(['clock', '--data', data, '--json'])).out);
      await client.send(new PutLogEventsCommand({ ...stream, logEvents: [{ timestamp: Date.parse(now), message }] }));
    };
    await client.send(new CreateLogGroupCommand(stream));
    await client.send(new CreateLogStreamCommand(stream));
    await put('an ERROR at first');
    await put('all is well');
    const { out } = await kobune(['logs', '/ours/app', '--filter', 'ERROR', '--data', data, '--json']);
    assert.deepEqual(JSON.parse(out), { ...JSON.parse(out), stream: 'one', message: 'an ERROR at first' });
    const follower = spawn(process.execPath, [command, 'logs', '-f', '/ours/app', '--data', data], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]();
    assert.match(String((await lines.next()).value), /^\S+Z an ERROR at first$/);
    assert.match(String((await lines.next()).value), / all is well$/);
    await put('what comes later');
    assert.match(String((await lines.next()).value), / what comes later$/);
    follower.kill();
    await once(follower, 'exit');
    client.destroy();
  });

  it('outbox prints what was sent, then what comes, and deletes it', async () => {
    const send = async (PhoneNumber: string, Message: string) => {
      const body = new URLSearchParams({ Action: 'Publish', Version: '2010-03-31', PhoneNumber, Message });
      assert.equal((await fetch(endpoint, { method: 'POST', body })).status, 200);
    };
    assert.equal((await kobune(['outbox', '--data', data])).out, 'Nothing was sent.\n');
    await send('+4915112345678', 'to Ada\nin two lines');
    await send('+4915112345679', 'to Ben');
    const { out } = await kobune(['outbox', '--to', '+4915112345678', '--data', data]);
    assert.match(out, /^\S+Z sms to \+4915112345678\n {2}to Ada\n {2}in two lines\n\n$/);
    const newest = await kobune(['outbox', '--limit', '1', '--json', '--data', data]);
    assert.equal(JSON.parse(newest.out).body, 'to Ben');
    assert.equal((await kobune(['outbox', '--kind', 'email', '--data', data, '--json'])).out, '');
    const follower = spawn(process.execPath, [command, 'outbox', '--follow', '--json', '--data', data], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]();
    const next = async () => JSON.parse(String((await lines.next()).value)).body;
    assert.deepEqual([await next(), await next()], ['to Ada\nin two lines', 'to Ben']);
    await send('+4915112345678', 'what comes later');
    assert.equal(await next(), 'what comes later');
    follower.kill();
    await once(follower, 'exit');
    const cleared = await kobune(['outbox', '--clear', '--to', '+4915112345678', '--data', data]);
    assert.equal(cleared.out, '2 messages deleted.\n');
    const wrong = await kobune(['outbox', '--limit', 'x', '--data', data]);
    assert.deepEqual([wrong.code, /--limit x is not a number/.test(wrong.err)], [2, true]);
    assert.equal((await kobune(['outbox', '--kind', 'pigeon', '--data', data])).code, 2);
  });

  it('invoke tells of a function that is not there', async () => {
    const { code, err } = await kobune(['invoke', 'nobody', '--data', data]);
    assert.equal(code, 1);
    assert.match(err, /ResourceNotFoundException: Function not found: arn:aws:lambda:.*:function:nobody/);
  });
});

describe('kobune up --iam enforce', () => {
  it("gives the root user's key to its owner, and takes no other", async () => {
    const directory = await scratch();
    const data = join(directory, 'data');
    const up = await kobune(['up', '--detach', '--port', '0', '--data', data, '--iam', 'enforce']);
    assert.equal(up.code, 0, up.err);
    assert.equal((await stat(join(data, 'root-key.json'))).mode & 0o777, 0o600);
    const { AWS_ACCESS_KEY_ID: id } = JSON.parse((await kobune(['env', '--data', data, '--json'])).out);
    assert.match(id, /^AKIA[A-Z0-9]{16}$/);
    const rooted = await kobune(['invoke', 'nobody', '--data', data]);
    assert.match(rooted.err, /ResourceNotFoundException/);
    const other = { AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA', AWS_SECRET_ACCESS_KEY: 'wrong' };
    const refused = await kobune(['invoke', 'nobody', '--data', data], { env: other });
    assert.match(refused.err, /UnrecognizedClientException/);
    await kobune(['down', '--data', data]);
    await rm(directory, { recursive: true });
  });
});

describe('the command line', () => {
  it('shows an example with the help of each command', async () => {
    const { out } = await kobune(['--help']);
    const commands = [...out.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name!).filter((name) => name !== 'help');
    assert.ok(commands.length >= 11);
    const helps = await Promise.all(commands.map((name) => kobune([name, '--help'])));
    for (const [index, help] of helps.entries()) assert.match(help.out, /\nExample:\n {2}\S/, commands[index]!);
  });

  it('ends with 2 for a command or option that does not exist', async () => {
    assert.equal((await kobune(['bogus'])).code, 2);
    assert.equal((await kobune(['status', '--bogus'])).code, 2);
  });

  it('prints no colours into a pipe', async () => {
    const { out, err } = await kobune(['status', '--data', join(tmpdir(), 'no-such-kobune')]);
    assert.ok(!`${out}${err}`.includes('\u001b'));
  });

  it('completes commands and options in bash', async () => {
    const { out } = await kobune(['completion', 'bash']);
    const script = `${out}
COMP_WORDS=(kobune st); COMP_CWORD=1; _kobune; echo "\${COMPREPLY[*]}"
COMP_WORDS=(kobune up --det); COMP_CWORD=2; _kobune; echo "\${COMPREPLY[*]}"`;
    const completed = await new Promise<string>((resolve, reject) => {
      execFile('bash', ['-c', script], (error, text) => (error ? reject(error) : resolve(text)));
    });
    assert.equal(completed, 'status\n--detach\n');
    for (const shell of ['zsh', 'fish']) assert.match((await kobune(['completion', shell])).out, /unfreeze/);
  });

  it('is not misled by a record of a process that is another program by now', async () => {
    const directory = await scratch();
    const other = createServer((_request, response) => response.end('{"pid":1}')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const record = { pid: process.pid, endpoint: `http://127.0.0.1:${port}` };
    await writeFile(join(directory, 'instance.json'), JSON.stringify(record));
    assert.equal((await kobune(['status', '--data', directory])).code, 3);
    other.close();
    await rm(directory, { recursive: true });
  });

  it('reports on the machine as JSON', async () => {
    const { findings } = JSON.parse((await kobune(['doctor', '--json'])).out);
    const names = findings.map(({ name }: { name: string }) => name);
    for (const name of [
      'node',
      'disk',
      'bwrap',
      'cgroups',
      'seccomp',
      'network',
      'conmon',
      'tini',
      'docker',
      'nodejs22.x',
      'python3.12',
    ]) {
      assert.ok(names.includes(name), name);
    }
    assert.ok(names.includes('runc') || names.includes('crun'));
  });
});
