import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DOCKER_28, noDockerReason } from '../../docker/testing/test-docker.ts';
import { createProgram } from '../program.ts';
import { TestCompose } from './testing/test-compose.ts';

const SLEEPER = 'image: busybox, command: sleep 1000, stop_signal: SIGKILL';
const DOCKER_COMPOSE = '/usr/bin/docker-compose';

describe('the commands of kobune compose', { skip: noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  let compose: TestCompose;
  before(async () => {
    compose = await TestCompose.open();
  });
  after(() => compose[Symbol.asyncDispose]());

  it('ps, images, ls, port, top and version tell what there is, as JSON, too', async () => {
    await using project = compose.project(
      'told',
      `services: {a: {${SLEEPER}, ports: ["80", "127.0.0.1::53/udp"]}, b: {image: busybox, command: "sh -c 'exit 4'"}}`,
    );
    await project.ok('up', '-d');
    await project.run('wait', 'b');
    assert.match(
      await project.ok('ps', '-a'),
      /^NAME +IMAGE +COMMAND +SERVICE +CREATED +STATUS +PORTS\ntold-a-1 +busybox +"sleep 1000" +a +\d+ \w+ ago +Up .*->80\/tcp.*\ntold-b-1 +busybox .* Exited \(4\)/,
    );
    const all = await project.json('ps', '-a');
    assert.deepEqual(
      all.map(({ name, service, state, exitCode }: Record<string, unknown>) => [name, service, state, exitCode]),
      [
        ['told-a-1', 'a', 'running', 0],
        ['told-b-1', 'b', 'exited', 4],
      ],
    );
    assert.deepEqual(
      [
        ...new Set(
          all[0].publishers.map(
            ({ containerPort, protocol }: Record<string, unknown>) => `${containerPort}/${protocol}`,
          ),
        ),
      ].sort(),
      ['53/udp', '80/tcp'],
    );
    assert.equal(await project.ok('ps', '--services', '--status', 'exited'), 'b\n');
    assert.equal((await project.ok('ps', '-q')).trim(), all[0].id);
    const { hostIp, hostPort } = await project.json('port', 'a', '80');
    assert.equal(await project.ok('port', 'a', '80'), `${hostIp}:${hostPort}\n`);
    assert.match((await project.run('port', 'a', '81')).err, /told-a-1 publishes no port 81\/tcp/);
    assert.deepEqual(
      (await project.json('images')).map(({ container, image }: Record<string, unknown>) => [container, image]),
      [
        ['told-a-1', 'busybox'],
        ['told-b-1', 'busybox'],
      ],
    );
    assert.deepEqual(await project.json('ls'), [
      { name: 'told', status: 'exited(1), running(1)', configFiles: join(project.files.path, 'compose.yaml') },
    ]);
    const [top] = await project.json('top', 'a');
    assert.ok(top.processes.flat().join(' ').includes('sleep 1000'));
    assert.equal(await project.ok('version', '--short'), '0.0.0\n');
    assert.equal((await project.json('version')).engine, 'Kobune');
    assert.match((await project.run('ps', 'x')).err, /there is no service "x"/);
  });

  it('logs are in the order of time, and as many as wanted', async () => {
    await using project = compose.project(
      'logs',
      `services: {a: {image: busybox, command: "sh -c 'echo a1; sleep 0.2; echo a2'"}, b: {image: busybox, command: "sh -c 'sleep 0.1; echo b1 >&2; sleep 0.2; echo b2'"}}`,
    );
    await project.ok('create');
    await project.ok('start');
    const follower = project.ok('logs', '-f', '--no-log-prefix');
    await project.ok('wait', 'a', 'b');
    assert.deepEqual((await follower).trim().split('\n').sort(), ['a1', 'a2', 'b2']);
    const lines = (await project.ok('logs', '-t')).trim().split('\n');
    assert.deepEqual(lines.map((line) => line.replace(/ \d{4}-\S+Z /, ' ')).sort(), [
      'a-1  | a1',
      'a-1  | a2',
      'b-1  | b1',
      'b-1  | b2',
    ]);
    const times = lines.map((line) => line.split(' ').find((word) => /^\d{4}-/.test(word))!);
    assert.deepEqual(times, [...times].sort());
    assert.equal(await project.ok('logs', '--tail', '1', 'a'), 'a-1  | a2\n');
    const json = (await project.ok('logs', 'b', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      json.map(({ container, stream, message }) => [container, stream, message]),
      [
        ['b-1', 'stderr', 'b1'],
        ['b-1', 'stdout', 'b2'],
      ],
    );
    assert.equal(await project.ok('logs', '--since', '2000-01-01', '--until', '2000-01-02'), '');
    assert.equal((await project.run('logs', '--tail', 'x')).status, 2);
    assert.equal((await project.run('logs', '--since', 'x')).status, 2);
  });

  it('exec and run give streams, variables and the exit status', async () => {
    await using project = compose.project(
      'ran',
      `services: {a: {${SLEEPER}, environment: {A: "1"}, scale: 2, depends_on: [b]}, b: {${SLEEPER}}}`,
    );
    await project.ok('up', '-d');
    const words = [
      'exec',
      '-T',
      '-e',
      'X=y',
      '-e',
      'TOKEN',
      '-u',
      '3',
      '-w',
      '/tmp',
      'a',
      'sh',
      '-c',
      'cat; echo $A $X $TOKEN; id -u; pwd; echo err >&2; exit 5',
    ];
    const child = project.spawn(...words);
    child.stdin.end('input\n');
    const [out, err, status] = await Promise.all([text(child.stdout), text(child.stderr), exit(child)]);
    assert.deepEqual([out, err, status], ['input\n1 y token\n3\n/tmp\n', 'err\n', 5]);
    const second = await project.inspect('a-2');
    assert.equal(
      (await project.ok('exec', '-T', '--no-interactive', '--index', '2', 'a', 'hostname')).trim(),
      second.Id.slice(0, 12),
    );
    assert.match(
      (await project.run('exec', '--index', '3', 'a', 'true')).err,
      /a has no container number 3\n {2}It has 1, 2\./,
    );
    await project.ok('stop', 'b');
    assert.match((await project.run('exec', 'b', 'true')).err, /ran-b-1 does not run\n {2}It is exited/);
    const once = await project.run(
      'run',
      '--rm',
      '--no-interactive',
      '-e',
      'X=z',
      'a',
      'sh',
      '-c',
      'echo $A $X; hostname; exit 6',
    );
    assert.deepEqual([once.status, once.out.split('\n')[0]], [6, '1 z']);
    assert.equal((await project.states())['b-1'], 'running');
    assert.equal((await project.containers()).length, 3);
    const name = (
      await project.ok(
        'run',
        '-d',
        '--no-deps',
        '--name',
        'mine',
        '-p',
        '127.0.0.1::80',
        '-v',
        './x:/x:ro',
        '-l',
        'k=v',
        'a',
      )
    ).trim();
    const made = await project.client.json<{
      Config: { Labels: Record<string, string>; Cmd: string[] };
      Mounts: { Destination: string }[];
    }>('GET', `/containers/${name}/json`);
    assert.deepEqual(
      [
        name,
        made.Config.Labels.k,
        made.Config.Labels['com.docker.compose.oneoff'],
        made.Config.Cmd,
        made.Mounts[0]!.Destination,
      ],
      ['mine', 'v', 'True', ['sleep', '1000'], '/x'],
    );
    await project.ok('down');
    assert.deepEqual(await project.states(), {});
  });

  it('exec takes no more input than the process reads', async () => {
    await using project = compose.project('slow', `services: {a: {${SLEEPER}}}`);
    await project.ok('up', '-d');
    const child = project.spawn('exec', '-T', 'a', 'sleep', '1');
    child.stdin.on('error', () => {});
    const written = new Promise<unknown>((resolve) => child.stdin.write(Buffer.alloc(64 << 20), resolve));
    assert.equal(await exit(child), 0);
    assert.ok((await written) instanceof Error, 'most of it was still here when the process ended');
  });

  it('exec and run have a terminal where there is one', async () => {
    await using project = compose.project('typed', `services: {a: {${SLEEPER}}}`);
    await project.ok('up', '-d');
    const typed = await project.typed('word\n', 'exec', 'a', 'sh', '-c', 'tty; read x; echo "got $x"; exit 7');
    assert.equal(typed.status, 7);
    assert.match(typed.out, /\/dev\/pts\/\d+\r\n.*got word\r\n/s);
    const ran = await project.typed('word\n', 'run', '--rm', 'a', 'sh', '-c', 'tty; read x; echo "got $x"; exit 8');
    assert.equal(ran.status, 8);
    assert.match(ran.out, /got word\r\n/);
    assert.equal((await project.containers()).length, 1);
  });

  it('stop, start, restart, pause, kill and rm act on containers that are there', async () => {
    await using project = compose.project(
      'acts',
      `services: {a: {${SLEEPER}, depends_on: {b: {condition: service_started, restart: true}}}, b: {${SLEEPER}}}`,
    );
    await project.ok('up', '-d');
    const started = async (name: string) => (await project.inspect(name)).State.StartedAt;
    const [a, b] = [await started('a-1'), await started('b-1')];
    await project.ok('restart', 'b');
    assert.ok((await started('b-1')) > b);
    assert.ok((await started('a-1')) > a, 'what asks for it is restarted, too');
    await project.ok('pause');
    assert.deepEqual(await project.states(), { 'a-1': 'paused', 'b-1': 'paused' });
    await project.ok('unpause', 'a');
    assert.deepEqual(await project.states(), { 'a-1': 'running', 'b-1': 'paused' });
    await project.ok('up', '-d');
    assert.deepEqual(await project.states(), { 'a-1': 'running', 'b-1': 'running' });
    await project.ok('kill', '-s', 'KILL', 'a');
    await project.run('wait', 'a');
    await project.ok('stop');
    assert.deepEqual(await project.states(), { 'a-1': 'exited', 'b-1': 'exited' });
    assert.equal((await project.run('rm', 'a')).status, 2, 'nobody can be asked');
    await project.ok('rm', '-f', 'a');
    assert.deepEqual(await project.states(), { 'b-1': 'exited' });
    assert.match((await project.run('start', 'a')).err, /a has no container/);
    await project.ok('start', 'b');
    await project.ok('rm', '-f', '-s');
    assert.deepEqual(await project.states(), {});
  });

  it('restart reaches all that restarts with it, in whatever order the file has them', async () => {
    const needs = (name: string) => `depends_on: {${name}: {condition: service_started, restart: true}}`;
    await using project = compose.project(
      'chain',
      `services: {c: {${SLEEPER}, ${needs('b')}}, b: {${SLEEPER}, ${needs('a')}}, a: {${SLEEPER}}, other: {${SLEEPER}}}`,
    );
    await project.ok('up', '-d');
    const started = async (name: string) => (await project.inspect(name)).State.StartedAt;
    const before = await Promise.all(['a-1', 'b-1', 'c-1', 'other-1'].map(started));
    await project.ok('restart', 'a');
    const after = await Promise.all(['a-1', 'b-1', 'c-1', 'other-1'].map(started));
    assert.deepEqual(
      after.map((time, index) => time > before[index]!),
      [true, true, true, false],
    );
  });

  it('commands on what is there ask for nothing that only a start needs', async () => {
    await using project = compose.project('lenient', {
      'compose.yaml': `services:
  a: {${SLEEPER}, container_name: lenient-one, env_file: a.env, depends_on: [c]}
  b: {${SLEEPER}, container_name: lenient-one, env_file: none.env, profiles: [other]}
  c: {${SLEEPER}, profiles: [more]}`,
      'a.env': 'A=1',
    });
    await project.ok('--profile', 'more', 'up', '-d');
    rmSync(join(project.files.path, 'a.env'));
    assert.deepEqual((await project.ok('ps', '--services')).trim().split('\n').sort(), ['a', 'c']);
    assert.match((await project.run('up', '-d')).err, /there is no file a\.env/);
    await project.ok('down');
    assert.deepEqual(await project.states(), {});
  });

  it('down leaves anonymous volumes, unless told', async () => {
    await using project = compose.project('anonymous', `services: {a: {${SLEEPER}, volumes: [/data]}}`);
    const volume = async () => (await project.inspect('a-1')).Mounts[0]!.Name!;
    const find = (name: string) => project.client.find(`/volumes/${name}`);
    await project.ok('up', '-d');
    const kept = await volume();
    await project.ok('down');
    assert.notEqual(await find(kept), undefined);
    await project.client.json('DELETE', `/volumes/${kept}`);
    await project.ok('up', '-d');
    const gone = await volume();
    await project.ok('down', '-v');
    assert.equal(await find(gone), undefined);
  });

  it('down knows a project by its labels alone, and removes images when told', async () => {
    await using project = compose.project('labelled', {
      'compose.yaml': `services: {a: {${SLEEPER}, depends_on: [b]}, b: {build: ., command: sleep 1000, stop_signal: SIGKILL}}`,
      Dockerfile: 'FROM busybox\nRUN echo made > /made',
    });
    await project.ok('up', '-d');
    await using elsewhere = compose.project('labelled', { 'empty/x': '' });
    assert.equal(await elsewhere.ok('-p', 'labelled', 'ps', '--services'), 'a\nb\n');
    await elsewhere.ok('-p', 'labelled', 'stop');
    await elsewhere.ok('-p', 'labelled', 'down');
    assert.deepEqual(await project.states(), {});
    assert.notEqual(await project.client.find('/images/labelled-b/json'), undefined);
    await project.ok('down', '--rmi', 'local');
    assert.equal(await project.client.find('/images/labelled-b/json'), undefined);
    assert.notEqual(await project.client.find('/images/busybox/json'), undefined);
  });

  it('build makes images with arguments, secrets, targets and inline Dockerfiles, and says what failed', async () => {
    await using project = compose.project('built', {
      'compose.yaml': `
services:
  a: {image: "built/a:1", build: {context: app, args: {WHO: compose, TOKEN: }, target: made, secrets: [s], labels: {l: v}, tags: ["built/a:other"]}}
  b: {build: {dockerfile_inline: "FROM busybox\\nRUN exit 9\\n"}, profiles: [bad]}
secrets: {s: {environment: TOKEN}}`,
      'app/Dockerfile':
        'FROM busybox AS made\nARG WHO\nARG TOKEN\nRUN --mount=type=secret,id=s test "$(cat /run/secrets/s)" = token\nRUN echo "$WHO $TOKEN" > /who\nCMD ["cat", "/who"]\nFROM busybox\nRUN false',
    });
    const { err } = await project.run('build');
    assert.match(err, /a \[\d\/\d made\] RUN echo .*not cached: first build/);
    assert.match((await project.run('build')).err, /RUN echo .*cached\n/);
    assert.equal((await project.run('up', '--no-log-prefix')).out.split('\n')[0], 'compose token');
    const image = await project.client.json<{ Config: { Labels: Record<string, string> }; RepoTags: string[] }>(
      'GET',
      '/images/built%2Fa:1/json',
    );
    assert.deepEqual([image.Config.Labels.l, image.RepoTags.toSorted()], ['v', ['built/a:1', 'built/a:other']]);
    const failed = await project.run('build', 'b');
    assert.equal(failed.status, 1);
    assert.match(failed.err, /kobune: b could not be built: .*9/s);
    assert.match(
      (await project.run('up', '-d', '--no-build', 'b')).err,
      /b: there is no image built-b\n {2}Leave out --no-build/,
    );
    await project.ok('down');
  });

  it('config prints the project, or parts of it', async () => {
    await using project = compose.project(
      'printed',
      'services: {a: {image: "x:$TOKEN", profiles: [p]}, b: {image: y, volumes: ["v:/v"]}}\nvolumes: {v: }',
    );
    assert.equal(await project.ok('config', '--services'), 'b\n');
    assert.equal(await project.ok('--profile', 'p', 'config', '--images'), 'x:token\ny\n');
    assert.equal(await project.ok('config', '--profiles'), 'p\n');
    assert.equal(await project.ok('config', '--volumes'), 'v\n');
    assert.equal(await project.ok('config', '-q'), '');
    assert.match(await project.ok('config', '--hash', '*'), /^b [0-9a-f]{64}\n$/);
    assert.equal((await project.json('config')).services.b.image, 'y');
    await project.ok('config', '-o', 'out.yaml');
    assert.match(readFileSync(join(project.files.path, 'out.yaml'), 'utf8'), /^name: printed\nservices:\n {2}b:/);
  });

  it('containers are those that docker-compose knows', {
    skip: !existsSync(DOCKER_COMPOSE) && 'docker-compose is missing: apt-get install docker-compose',
  }, async () => {
    await using project = compose.project('known', `version: "3.8"\nservices: {a: {${SLEEPER}, scale: 2}}`);
    await project.ok('up', '-d');
    const options = { cwd: project.files.path, env: project.environment, encoding: 'utf8' as const };
    const theirs = promisify(execFile);
    const { stdout } = await theirs(DOCKER_COMPOSE, ['ps', '--services', '--filter', 'status=running'], options);
    assert.equal(stdout, 'a\n');
    await theirs(DOCKER_COMPOSE, ['down'], options);
    assert.deepEqual(await project.states(), {});
  });
});

describe('the help of kobune compose', () => {
  it('has an example for each command', () => {
    const terminal = { stdout: process.stdout, stderr: process.stderr, environment: {}, workingDirectory: '/' };
    const program = createProgram(terminal, '0.0.0', () => {});
    const parent = program.commands.find((command) => command.name() === 'compose')!;
    assert.ok(parent.commands.length >= 24);
    for (const command of parent.commands) {
      let help = '';
      command.configureOutput({
        writeOut: (text) => {
          help += text;
        },
      });
      command.outputHelp();
      assert.match(help, new RegExp(`\\nExample:\\n {2}kobune compose ${command.name()}\\b`), command.name());
    }
  });
});

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

function exit(child: {
  once(event: 'exit', listener: (code: number | null) => void): unknown;
}): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}
