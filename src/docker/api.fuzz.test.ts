import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { noContainersReason } from '../containers/testing/test-engine.ts';
import { routes } from './routes.ts';
import { TestDocker } from './testing/test-docker.ts';

/** These would ask other machines, by names that are made up here. */
const ASK_OTHERS = new Set(['SystemAuth', 'DistributionInspect', 'ImagePush']);
const tried = routes.filter(({ operation }) => !ASK_OTHERS.has(operation));

/** Refusals by name have these: not implemented, in no swarm. */
const MEANT = new Set([501, 503]);

const text = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    '..',
    '/etc',
    'busybox',
    'one',
    '0',
    '-1',
    '1e9',
    'true',
    '{}',
    '[]',
    '{"label":["a"]}',
    '{"label":{"a":true}}',
    'sha256:',
    '\0',
  ),
);
const names = fc.constantFrom(
  'busybox',
  'fuzzed',
  'nosuch',
  'bridge',
  '..',
  '%00',
  '%2e%2e%2fetc',
  'a'.repeat(300),
  '%zz',
  'sha256:abc',
);
const parameters = fc.constantFrom(
  'path',
  'name',
  'all',
  'filters',
  'limit',
  'size',
  'since',
  'until',
  'tail',
  'stdout',
  'stderr',
  'stream',
  'stdin',
  'detachKeys',
  'signal',
  't',
  'condition',
  'h',
  'w',
  'ps_args',
  'force',
  'v',
  'link',
  'repo',
  'tag',
  'container',
  'changes',
  'names',
  'fromSrc',
  'platform',
  'dockerfile',
  'buildargs',
  'labels',
  'shmsize',
  'ulimits',
  'version',
  'type',
);
const members = fc.constantFrom(
  'Image',
  'Cmd',
  'HostConfig',
  'Name',
  'Container',
  'Labels',
  'Detach',
  'Tty',
  'IPAM',
  'Memory',
  'RestartPolicy',
  'DriverOpts',
  'NetworkingConfig',
  'Env',
);
const value = fc.oneof(
  text,
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(text, { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 3 }),
);
const body = fc.oneof(
  fc.constant(undefined),
  fc.dictionary(fc.oneof(members, text), value, { maxKeys: 5 }).map((object) => JSON.stringify(object)),
  text,
  fc.constantFrom('{"Image":"busybox","HostConfig":{"Binds":["/a:/b:ro"]}}', '{"Cmd":["true"]}', '['.repeat(50_000)),
);

describe('the Docker API, asked anything', { skip: noContainersReason }, () => {
  let docker: TestDocker;
  before(async () => {
    docker = await TestDocker.open();
  });
  after(() => docker[Symbol.asyncDispose]());

  /** The status of the answer; what may be endless is not read further. */
  async function statusOf(method: string, path: string, sent: string | undefined, type: string): Promise<number> {
    const headers = sent === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(sent) };
    const asked = request({ socketPath: docker.socket, method, path, headers, agent: false });
    asked.on('error', () => {});
    asked.end(sent);
    const [answer] = await once(asked, 'response');
    let told = '';
    if (answer.statusCode >= 400) for await (const chunk of answer) told += chunk;
    asked.destroy();
    if (answer.statusCode >= 500 && !MEANT.has(answer.statusCode))
      assert.fail(`${method} ${path} ${sent}: ${answer.statusCode} ${told}`);
    if (told !== '') assert.equal(typeof JSON.parse(told).message, 'string');
    return answer.statusCode;
  }

  it('answers with what was wrong, and never with an error of its own', async () => {
    await docker.ok('create', '--name', 'fuzzed', 'busybox', 'sleep', '1');
    const query = fc.array(fc.tuple(parameters, text), { maxLength: 4 });
    const type = fc.constantFrom('application/json', 'application/json', 'text/plain', 'application/x-tar', ';');
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...tried), names, query, body, type, async (route, name, pairs, sent, media) => {
        const path = route.path.replace(/\{[a-z]+(?:\.\.\.)?\}/g, name);
        const search = pairs.map(([key, one]) => `${key}=${encodeURIComponent(one.toWellFormed())}`).join('&');
        statuses.add(
          await statusOf(route.method, `/v1.41${path}?${search}`, route.method === 'GET' ? undefined : sent, media),
        );
      }),
      { seed: 48, numRuns: 400 },
    );
    for (const status of [200, 400, 404, 501, 503]) assert.ok(statuses.has(status), `no answer was ${status}`);
  });

  it('works as before', async () => {
    assert.equal(await docker.ok('run', '--rm', docker.busybox.id, 'echo', 'still here'), 'still here');
  });
});
