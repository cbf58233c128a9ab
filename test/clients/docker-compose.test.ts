import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { noDockerReason, TestDocker } from '../../src/docker/testing/test-docker.ts';

const COMPOSE = '/usr/bin/docker-compose';
const reason =
  noDockerReason(COMPOSE) || (!existsSync(COMPOSE) && 'docker-compose is missing: apt-get install docker-compose');

const FILE = `
version: '3.8'
networks:
  front:
    ipam:
      config:
        - subnet: 10.214.3.0/24
  back:
    internal: true
services:
  web:
    build:
      context: ./app
      args:
        GREETING: built
    image: app:made
    networks: [front, back]
    ports: ["8080"]
    depends_on: [store]
    environment:
      - STORE=store
    volumes:
      - data:/data
      - ./app:/source:ro
  store:
    image: busybox
    command: sh -c "hostname -i > /data/address; echo storing; exec sleep 1000"
    networks:
      back:
        aliases: [database]
    volumes:
      - data:/data
    labels:
      role: db
    healthcheck:
      test: test -e /data/address
      interval: 1s
volumes:
  data:
`;

const DOCKERFILE = `FROM busybox
ARG GREETING
RUN echo $GREETING > /index.html
CMD ["sh", "-c", "echo serving; exec httpd -f -h / -p 8080"]
`;

describe('docker-compose 1.29', { skip: reason }, () => {
  let docker: TestDocker;
  let project: string;
  before(async () => {
    docker = await TestDocker.open();
    project = join(docker.directory, 'project');
    await mkdir(join(project, 'app'), { recursive: true });
    await writeFile(join(project, 'docker-compose.yml'), FILE);
    await writeFile(join(project, 'app/Dockerfile'), DOCKERFILE);
  });
  after(() => docker[Symbol.asyncDispose]());

  async function compose(...words: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const environment = { COMPOSE_HTTP_TIMEOUT: '60', COMPOSE_PROJECT_NAME: 'shop' };
    const ran = await docker.run(words, { client: COMPOSE, directory: project, environment });
    assert.equal(ran.status, 0, `${words.join(' ')}: ${ran.stderr}${ran.stdout}`);
    return ran;
  }

  it('builds, starts, joins and stops a project', async () => {
    const up = await compose('up', '-d');
    assert.match(up.stdout + up.stderr, /Successfully built [0-9a-f]{12}/);
    assert.match(up.stderr, /Creating shop_web_1 +\.\.\. .*done/);

    const ps = (await compose('ps')).stdout;
    assert.match(ps, /shop_store_1 +sh -c hostname -i > \/data\/.* Up/);
    assert.match(ps, /shop_web_1 .*Up +127\.0\.0\.1:\d+->8080\/tcp/);
    const { stdout: address } = await compose('port', 'web', '8080');
    const page = await docker.run(
      ['-s', '--retry', '20', '--retry-connrefused', '--retry-delay', '0', `http://${address.trim()}/`],
      { client: 'curl' },
    );
    assert.equal(page.stdout, 'built\n');

    const reached = await compose(
      'exec',
      '-T',
      'web',
      'sh',
      '-c',
      'ping -c 1 -w 3 database > /dev/null && echo $STORE reached; cat /data/address; ls /source',
    );
    assert.match(reached.stdout, /^store reached\n\d+\.\d+\.\d+\.\d+\nDockerfile\n$/);
    assert.match(
      (await compose('logs', '--no-color')).stdout,
      /store_1 +\| storing[\s\S]*web_1 +\| serving|web_1 +\| serving[\s\S]*store_1 +\| storing/,
    );
    assert.match((await compose('top', 'store')).stdout, /sleep 1000/);
  });

  it('leaves alone what has not changed, and makes anew what has', async () => {
    const id = () => docker.ok('inspect', '-f', '{{.Id}}', 'shop_store_1');
    const before = await id();
    await compose('up', '-d');
    assert.equal(await id(), before);
    await writeFile(join(project, 'docker-compose.yml'), FILE.replace('echo storing', 'echo anew'));
    await compose('up', '-d', '-t', '1');
    assert.notEqual(await id(), before);
    assert.match((await compose('logs', '--no-color', 'store')).stdout, /anew/);
  });

  it('scales, runs something once, and takes everything down', async () => {
    await compose('up', '-d', '--scale', 'store=2', '--no-recreate');
    assert.equal((await compose('ps', '-q', 'store')).stdout.trim().split('\n').length, 2);
    assert.match((await compose('run', '--rm', '-T', 'store', 'echo', 'once')).stdout, /^once\n$/);
    await compose('stop', '-t', '1');
    await compose('start', 'store');
    await compose('down', '-v', '-t', '1', '--rmi', 'local');
    assert.equal(await docker.ok('ps', '-aq'), '');
    assert.equal(await docker.ok('volume', 'ls', '-q'), '');
    assert.equal(await docker.ok('network', 'ls', '-q', '-f', 'type=custom'), '');
  });
});
