import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../docker/testing/test-docker.ts';
import { TestCompose, type TestComposeProject } from './testing/test-compose.ts';

const SLEEPER = 'image: busybox, command: sleep 1000, stop_signal: SIGKILL';

/** Starts `up` in a process of its own; answers it with its lines. */
function foreground(project: TestComposeProject, ...words: readonly string[]) {
  const child = project.spawn('up', ...words);
  const errors = textOf(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(([status]) => status as number | null);
  return {
    child,
    ended,
    errors,
    /** The next line that matches. */
    until: async (pattern: RegExp): Promise<string> => {
      for (;;) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`no line matched ${pattern}: ${await errors}`);
        if (pattern.test(value)) return value;
      }
    },
  };
}

describe('kobune compose up in the foreground', { skip: noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  let compose: TestCompose;
  before(async () => {
    compose = await TestCompose.open();
  });
  after(() => compose[Symbol.asyncDispose]());

  it('shows the output of each container with its name, and ends when all have ended', async () => {
    await using project = compose.project(
      'shown',
      'services: {short: {image: busybox, command: "sh -c \'echo one; echo two >&2\'"}, much-longer: {image: busybox, command: echo three, scale: 2}}',
    );
    const { status, out } = await project.run('up');
    assert.equal(status, 0);
    assert.deepEqual(out.trim().split('\n').sort(), [
      'much-longer-1  | exited with code 0',
      'much-longer-1  | three',
      'much-longer-2  | exited with code 0',
      'much-longer-2  | three',
      'short-1        | exited with code 0',
      'short-1        | one',
      'short-1        | two',
    ]);
    // Again: only what is new is shown.
    assert.equal((await project.run('up')).out.match(/three/g)?.length, 2);
  });

  it('shows restarts, and only the services that are wanted', async () => {
    await using project = compose.project(
      'restarts',
      'services: {a: {image: busybox, command: "sh -c \'echo run; exit 2\'", restart: "on-failure:1"}, b: {image: busybox, command: echo no}, c: {image: busybox, command: echo never, attach: false}}',
    );
    const { out } = await project.run('up', '--no-attach', 'b');
    assert.deepEqual(out.trim().split('\n'), [
      'a-1  | run',
      'a-1  | exited with code 2 (restarting)',
      'a-1  | run',
      'a-1  | exited with code 2',
    ]);
  });

  it('stops all on Ctrl-C, each before what it needs', async () => {
    const trap = (name: string) =>
      `sh -c 'trap "echo ${name} ends; exit 0" TERM; echo ${name}; while true; do sleep 0.05; done'`;
    await using project = compose.project(
      'stopped',
      `services:\n  web: {image: busybox, command: ${JSON.stringify(trap('web'))}, depends_on: [db]}\n  db: {image: busybox, command: ${JSON.stringify(trap('db'))}}`,
    );
    const { child, until, ended } = foreground(project);
    await until(/web {3}$|web-1 {2}\| web$/);
    child.kill('SIGINT');
    assert.match(await until(/ends/), /web-1 +\| web ends/);
    assert.match(await until(/ends/), /db-1 +\| db ends/);
    assert.equal(await ended, 130);
    assert.deepEqual(await project.states(), { 'db-1': 'exited', 'web-1': 'exited' });
  });

  it('leaves alone what it was not asked for', async () => {
    const ends = `sh -c 'trap "exit 0" TERM; echo up; while true; do sleep 0.05; done'`;
    await using project = compose.project(
      'alone',
      `services:\n  a: {image: busybox, command: ${JSON.stringify(ends)}}\n  b: {${SLEEPER}}`,
    );
    await project.ok('up', '-d', 'b');
    const { child, until, ended } = foreground(project, '--abort-on-container-exit', 'a');
    await until(/a-1 +\| up/);
    await project.ok('restart', 'b');
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.deepEqual(await project.states(), { 'a-1': 'exited', 'b-1': 'running' });
  });

  it('refuses options that would have no effect, before anything is made', async () => {
    await using project = compose.project('refused', `services: {a: {${SLEEPER}}}`);
    for (const [words, message] of [
      [['-d', '--abort-on-container-exit'], /--abort-on-container-exit is for the foreground/],
      [['--wait', '--abort-on-container-failure'], /--abort-on-container-failure is for the foreground/],
      [['-d', '--exit-code-from', 'a'], /--exit-code-from is for the foreground/],
      [['-d', '--attach', 'a'], /--attach is for the foreground/],
      [['-d', '--wait-timeout', '5'], /--wait-timeout needs --wait/],
      [['--exit-code-from', 'b'], /there is no service "b"/],
      [['--attach', 'b'], /there is no service "b"/],
      [['--no-attach', 'b'], /there is no service "b"/],
    ] as const) {
      const { status, err } = await project.run('up', ...words);
      assert.equal(status, 2, words.join(' '));
      assert.match(err, message);
    }
    assert.deepEqual(await project.states(), {});
  });

  it('stops waiting for a dependency on Ctrl-C', async () => {
    await using project = compose.project(
      'waiting',
      `services: {web: {${SLEEPER}, depends_on: {db: {condition: service_healthy}}}, db: {image: busybox, command: "sh -c 'echo up; exec sleep 1000'", stop_signal: SIGKILL, healthcheck: {test: "false", interval: 1h, start_period: 1h}}}`,
    );
    const { child, until, ended } = foreground(project);
    await until(/db-1 +\| up/);
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.deepEqual(await project.states(), { 'db-1': 'exited', 'web-1': 'created' });
  });

  it('kills on a second Ctrl-C', async () => {
    await using project = compose.project(
      'killed',
      `services: {a: {image: busybox, command: "sh -c 'trap \\"echo stubborn\\" TERM; echo up; while true; do sleep 0.05; done'"}}`,
    );
    const { child, until, ended } = foreground(project);
    await until(/\| up/);
    child.kill('SIGINT');
    await until(/stubborn/);
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.equal((await project.inspect('a-1')).State.ExitCode, 137);
  });

  it('ends with the exit status of a service when asked', async () => {
    await using project = compose.project(
      'tested',
      `services: {db: {${SLEEPER}}, test: {image: busybox, command: "sh -c 'exit 7'", depends_on: [db]}}`,
    );
    assert.equal((await project.run('up', '--exit-code-from', 'test')).status, 7);
    assert.deepEqual(await project.states(), { 'db-1': 'exited', 'test-1': 'exited' });
    assert.equal((await project.run('up', '--abort-on-container-failure')).status, 7);
    assert.equal((await project.run('up', '--abort-on-container-exit', '--no-log-prefix')).status, 7);
  });
});
