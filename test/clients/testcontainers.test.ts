import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { noContainersReason } from '../../src/containers/testing/test-engine.ts';
import { TestDocker } from '../../src/docker/testing/test-docker.ts';

describe('Testcontainers', { skip: noContainersReason }, () => {
  let docker: TestDocker;
  let library: typeof import('testcontainers');
  before(async () => {
    docker = await TestDocker.open();
    // It reads where Docker is when it is first used. Its own helper container comes from a public registry, so it does without.
    process.env.DOCKER_HOST = `unix://${docker.socket}`;
    process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
    // On a machine that is a container itself it would look for ports at the address of the containers' bridge.
    process.env.TESTCONTAINERS_HOST_OVERRIDE = 'localhost';
    library = await import('testcontainers');
  });
  after(async () => {
    delete process.env.DOCKER_HOST;
    delete process.env.TESTCONTAINERS_RYUK_DISABLED;
    delete process.env.TESTCONTAINERS_HOST_OVERRIDE;
    await docker[Symbol.asyncDispose]();
  });

  const server = ['sh', '-c', 'echo hello > /index.html; echo ready; exec httpd -f -h / -p 8080'];

  it('waits for a port, and maps it', async () => {
    const { GenericContainer, Wait } = library;
    await using container = await new GenericContainer('busybox')
      .withCommand(server)
      .withExposedPorts(8080)
      .withWaitStrategy(Wait.forListeningPorts())
      .start();
    const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(8080)}/`);
    assert.equal(await answer.text(), 'hello\n');
  });

  it('waits for a line of the log and for an HTTP answer', async () => {
    const { GenericContainer, Wait } = library;
    await using container = await new GenericContainer('busybox')
      .withCommand(server)
      .withExposedPorts(8080)
      .withWaitStrategy(Wait.forAll([Wait.forLogMessage(/ready/), Wait.forHttp('/index.html', 8080)]))
      .start();
    assert.match(container.getName(), /^\/./);
  });

  it('waits until it is healthy, and until it has ended', async () => {
    const { GenericContainer, Wait } = library;
    await using healthy = await new GenericContainer('busybox')
      .withCommand(['sleep', '1000'])
      .withHealthCheck({ test: ['CMD-SHELL', 'true'], interval: 200, timeout: 1000, retries: 5, startPeriod: 0 })
      .withWaitStrategy(Wait.forHealthCheck())
      .start();
    assert.match(healthy.getId(), /^[0-9a-f]{64}$/);
    await using done = await new GenericContainer('busybox')
      .withCommand(['true'])
      .withWaitStrategy(Wait.forOneShotStartup())
      .start();
    assert.notEqual(done.getId(), healthy.getId());
  });

  it('copies files and executes', async () => {
    const { GenericContainer } = library;
    await using container = await new GenericContainer('busybox')
      .withCommand(['sleep', '1000'])
      .withEnvironment({ A: 'b' })
      .withCopyContentToContainer([{ content: 'copied', target: '/tmp/file' }])
      .withTmpFs({ '/scratch': 'rw' })
      .start();
    const { output, exitCode } = await container.exec(['sh', '-c', 'cat /tmp/file; echo $A; exit 3']);
    assert.equal(exitCode, 3);
    assert.equal(output, 'copiedb\n');
    await container.copyContentToContainer([{ content: 'later', target: '/tmp/later' }]);
    assert.equal((await container.exec(['cat', '/tmp/later'])).output, 'later');
    await container.restart();
    assert.equal((await container.exec(['cat', '/tmp/later'])).output, 'later');
  });

  it('joins containers by a network and its aliases', async () => {
    const { GenericContainer, Network, Wait } = library;
    await using network = await new Network().start();
    await using _server = await new GenericContainer('busybox')
      .withCommand(server)
      .withNetwork(network)
      .withNetworkAliases('web')
      .withWaitStrategy(Wait.forLogMessage('ready'))
      .start();
    await using client = await new GenericContainer('busybox')
      .withCommand(['sleep', '1000'])
      .withNetwork(network)
      .start();
    const { output } = await client.exec(['sh', '-c', 'until wget -q -O - http://web:8080/; do :; done']);
    assert.match(output, /hello\n$/);
  });

  it('builds an image of a Dockerfile', async () => {
    const { GenericContainer, Wait } = library;
    const { mkdir, writeFile } = await import('node:fs/promises');
    const context = `${docker.directory}/context`;
    await mkdir(context);
    await writeFile(`${context}/Dockerfile`, 'FROM busybox\nARG WORD\nRUN echo $WORD > /word\nCMD cat /word\n');
    const image = await GenericContainer.fromDockerfile(context)
      .withBuildArgs({ WORD: 'built' })
      .build('tested:1', { deleteOnExit: false });
    await using container = await image.withWaitStrategy(Wait.forLogMessage('built')).start();
    assert.match(container.getId(), /^[0-9a-f]{64}$/);
  });
});
