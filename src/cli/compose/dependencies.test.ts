import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../docker/testing/test-docker.ts';
import { TestCompose } from './testing/test-compose.ts';

const SLEEPER = 'image: busybox, command: sleep 1000, stop_signal: SIGKILL';
const QUICK_CHECK = 'interval: 1s, start_period: 10s, start_interval: 50ms, retries: 1';

describe('kobune compose and what services need', { skip: noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  let compose: TestCompose;
  before(async () => {
    compose = await TestCompose.open();
  });
  after(() => compose[Symbol.asyncDispose]());

  it('starts a service once the others are healthy or done', async () => {
    await using project = compose.project(
      'waits',
      `
services:
  web: {image: busybox, command: "sh -c 'cat /shared/*'", volumes: ["shared:/shared"], depends_on: {db: {condition: service_healthy}, job: {condition: service_completed_successfully}}}
  db:
    image: busybox
    stop_signal: SIGKILL
    command: sh -c 'sleep 0.3; echo ready > /shared/db; sleep 1000'
    volumes: ["shared:/shared"]
    healthcheck: {test: "test -e /shared/db", ${QUICK_CHECK}}
  job: {image: busybox, command: "sh -c 'sleep 0.3; echo migrated > /shared/job'", volumes: ["shared:/shared"]}
volumes: {shared: }`,
    );
    await project.ok('up', '-d');
    await project.ok('wait', 'web');
    assert.equal(await project.ok('logs', 'web', '--no-log-prefix'), 'ready\nmigrated\n');
    await project.ok('down', '-v');
  });

  it('says which dependency is unhealthy and why, and goes on from there the next time', async () => {
    const text = (test: string) => `
services:
  web: {${SLEEPER}, depends_on: {db: {condition: service_healthy}}}
  db: {${SLEEPER}, healthcheck: {test: "${test}", interval: 100ms, retries: 1}}`;
    await using project = compose.project('unhealthy', text('echo no database; exit 1'));
    const { status, err } = await project.run('up', '-d');
    assert.equal(status, 1);
    assert.match(
      err,
      /kobune: a dependency failed: unhealthy-db-1 is unhealthy\n {2}Its check ended with 1: no database/,
    );
    assert.deepEqual(await project.states(), { 'db-1': 'running', 'web-1': 'created' });
    writeFileSync(join(project.files.path, 'compose.yaml'), text('true'));
    await project.ok('up', '-d', '--wait');
    assert.deepEqual(await project.states(), { 'db-1': 'running', 'web-1': 'running' });
  });

  it('says that a dependency failed, or can never be healthy', async () => {
    const failing = `services: {web: {${SLEEPER}, depends_on: {job: {condition: service_completed_successfully}}}, job: {image: busybox, command: "sh -c 'exit 3'"}}`;
    await using job = compose.project('failing', failing);
    assert.match(
      (await job.run('up', '-d')).err,
      /a dependency failed: failing-job-1 ended with 3, and was to complete successfully/,
    );
    const unchecked = `services: {web: {${SLEEPER}, depends_on: {db: {condition: service_healthy}}}, db: {${SLEEPER}}}`;
    await using db = compose.project('unchecked', unchecked);
    assert.match(
      (await db.run('up', '-d')).err,
      /unchecked-db-1 has no health check to wait for\n {2}Give the service a "healthcheck"/,
    );
    const optional = failing.replace('successfully}', 'successfully, required: false}');
    await using goes = compose.project('optional', optional);
    const { status, err } = await goes.run('up', '-d');
    assert.equal(status, 0, err);
    assert.match(err, /warning: web goes on without "job"/);
    assert.equal((await goes.states())['web-1'], 'running');
  });

  it('gives up waiting when told how long', async () => {
    await using project = compose.project(
      'late',
      `services: {a: {${SLEEPER}, healthcheck: {test: "false", interval: 1h, start_period: 1h}}}`,
    );
    const { status, err } = await project.run('up', '-d', '--wait', '--wait-timeout', '1');
    assert.deepEqual([status, /not everything was ready within 1 s/.test(err)], [1, true]);
    await using ends = compose.project(
      'ends',
      'services: {job: {image: busybox, command: "sleep 0.2", healthcheck: {test: "false", interval: 1h, start_period: 1h}}}',
    );
    assert.match(
      (await ends.run('up', '-d', '--wait')).err,
      /^kobune: ends-job-1 ended with 0\n {2}What is waited for may end if another service needs it so/m,
    );
    // Also while something waits for another.
    await using other = compose.project(
      'later',
      `services: {a: {${SLEEPER}, depends_on: {b: {condition: service_healthy}}}, b: {${SLEEPER}, healthcheck: {test: "false", interval: 1h, start_period: 1h}}}`,
    );
    assert.match(
      (await other.run('up', '-d', '--wait', '--wait-timeout', '1')).err,
      /not everything was ready within 1 s/,
    );
    assert.deepEqual(await other.states(), { 'a-1': 'created', 'b-1': 'running' });
  });

  it('makes nothing when something from elsewhere is missing, or a file is wrong', async () => {
    const text = (member: string) => `services: {a: {${SLEEPER}${member}}}`;
    const cases: readonly [string, string, RegExp, number][] = [
      [
        'net',
        `${text(', networks: [n]')}\nnetworks: {n: {external: true}}`,
        /the network "n" is external, and it is not there\n {2}Make it first/,
        1,
      ],
      [
        'vol',
        `${text(', volumes: ["v:/v"]')}\nvolumes: {v: {external: true}}`,
        /the volume "v" is external, and it is not there/,
        1,
      ],
      [
        'sec',
        `${text(', secrets: [s]')}\nsecrets: {s: {file: none.txt}}`,
        /the secret "s" is taken from .*none\.txt, but there is no such file/,
        2,
      ],
      [
        'env',
        `${text(', secrets: [s]')}\nsecrets: {s: {environment: NONE}}`,
        /the secret "s" is taken from the variable NONE, which is not set/,
        2,
      ],
      ['img', text('').replace('busybox', 'localhost:1/none:1'), /a: localhost:1\/none:1 could not be pulled/, 1],
      [
        'no',
        text(', pull_policy: never').replace('busybox', 'none:1'),
        /a: there is no image none:1\n {2}Its pull_policy is never/,
        1,
      ],
      [
        'two',
        text(', scale: 2, ports: ["127.0.0.1:9:9"]'),
        /a: 2 containers cannot all publish port 9 at 9\n {2}Give a range of 2 ports/,
        1,
      ],
      [
        'both',
        `services: {a: {${SLEEPER}, ports: ["9:9"]}, b: {${SLEEPER}, ports: ["9:8"]}}`,
        /b and a cannot both publish port 9\/tcp/,
        1,
      ],
      [
        'bad',
        text(', prots: []'),
        /compose\.yaml:1: services\.a\.prots is not a Compose member\n {2}Did you mean "ports"\?/,
        2,
      ],
    ];
    for (const [name, file, message, expected] of cases) {
      await using project = compose.project(`nothing${name}`, file);
      const { status, err } = await project.run('up', '-d');
      assert.match(err, message);
      assert.equal(status, expected, name);
      assert.deepEqual(await project.states(), {});
      assert.equal(await project.client.find(`/networks/nothing${name}_default`), undefined);
      await project.run('down');
    }
  });

  it('says which container cannot be made', async () => {
    const mount = '{type: bind, source: ./none, target: /x, bind: {create_host_path: false}}';
    await using project = compose.project('unmade', `services: {a: {${SLEEPER}, volumes: [${mount}]}}`);
    const { status, err } = await project.run('up', '-d');
    assert.equal(status, 1);
    assert.match(err, /^kobune: unmade-a-1 could not be made: .*bind source path does not exist/m);
    await project.ok('down');
  });

  it('says which network cannot be made', async () => {
    const subnet = '10.231.7.0/24';
    const text = `services: {a: {${SLEEPER}}}\nnetworks: {default: {ipam: {config: [{subnet: ${subnet}}]}}}`;
    await using first = compose.project('subnet', text);
    await first.ok('up', '-d');
    await using second = compose.project('overlap', text);
    const { status, err } = await second.run('up', '-d');
    assert.equal(status, 1);
    assert.match(err, /kobune: the network overlap_default could not be made: .*[Oo]verlaps/);
    assert.match(err, /Something on this machine has addresses of 10\.231\.7\.0\/24 already/);
    await first.ok('down');
  });

  it('says which port is in use, and starts when it is free', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    await using project = compose.project('port', `services: {a: {${SLEEPER}, ports: ["127.0.0.1:${port}:80"]}}`);
    const { status, err } = await project.run('up', '-d');
    assert.equal(status, 1);
    assert.match(
      err,
      new RegExp(`kobune: port-a-1 could not be started: .*${port}.*\\n {2}Free the port, or publish another`),
    );
    holder.close();
    await once(holder, 'close');
    await project.ok('up', '-d');
    assert.deepEqual(await project.states(), { 'a-1': 'running' });
    assert.equal((await project.ok('port', 'a', '80')).trim(), `127.0.0.1:${port}`);
  });

  it('leaves a container as it was when its successor cannot be made', async () => {
    const text = (member: string) => `services: {a: {${SLEEPER}${member}}}`;
    await using project = compose.project('kept', text(''));
    await project.ok('up', '-d');
    const [before] = await project.containers();
    writeFileSync(
      join(project.files.path, 'compose.yaml'),
      text(', volumes: [{type: bind, source: ./none, target: /n, bind: {create_host_path: false}}]'),
    );
    const { status, err } = await project.run('up', '-d');
    assert.equal(status, 1);
    assert.match(err, /bind source path does not exist/);
    assert.deepEqual(
      (await project.containers()).map(({ id, name, state }) => [id, name, state]),
      [[before!.id, 'a-1', 'running']],
    );
  });
});
