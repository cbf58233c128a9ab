import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../base/errors.ts';
import type { Image } from '../images/index.ts';
import { readBuildOptions } from './build/build-options.ts';
import { createBody, execBody, updateBody } from './containers/config-shape.ts';
import { toContainerSpec } from './containers/container-spec.ts';
import { readChanges } from './containers/resources.ts';
import { readPlatform } from './images/platform.ts';
import { referencePattern } from './images/reference-pattern.ts';
import { networkBody, toNetworkSpec } from './networks/routes.ts';
import { routes } from './routes.ts';
import { splitVersion } from './server/api-version.ts';
import { DetachWatch, readDetachKeys } from './server/detach-keys.ts';
import { Query } from './server/query.ts';
import { readRegistryAuth, readRegistryConfig } from './server/registry-auth.ts';
import { Router } from './server/router.ts';
import { namePattern, readFilters } from './shapes/filters.ts';
import { readExactTime, readPast, readTimestamp } from './shapes/timestamp.ts';

const SEED = { seed: 20_260_118, numRuns: 400 };

const image: Image = {
  id: `sha256:${'a'.repeat(64)}`,
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] }, config: { Cmd: ['sh'] } },
  layers: [],
  size: 0,
  tags: [],
  digests: [],
  lastTaggedAt: 0,
};

/** Runs what reads input; only an error that is the client's may come of it. */
function mayRefuse(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (error instanceof ServiceError && error.status >= 400 && error.status < 500) return;
    throw error;
  }
}

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '/',
    '..',
    '/a',
    'a:b',
    '/a:/b:ro',
    '80/tcp',
    '1-2',
    '-1',
    '64m',
    '__proto__',
    'constructor',
    'container:',
    'host',
    '\0',
  ),
);
const value = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(text, { maxLength: 4 }),
  fc.dictionary(
    text,
    fc.oneof(
      text,
      fc.integer(),
      fc.constant(null),
      fc.array(fc.dictionary(text, text, { maxKeys: 2 }), { maxLength: 2 }),
    ),
    { maxKeys: 3 },
  ),
  fc.jsonValue({ maxDepth: 4 }),
);
const objectOf = (names: readonly string[]) =>
  fc.dictionary(fc.oneof(fc.constantFrom(...names), text), value, { maxKeys: 6 });

const HOST = [
  'Binds',
  'Mounts',
  'Tmpfs',
  'PortBindings',
  'NetworkMode',
  'LogConfig',
  'RestartPolicy',
  'Memory',
  'NanoCpus',
  'CpusetCpus',
  'Devices',
  'Ulimits',
  'Links',
  'ExtraHosts',
  'IpcMode',
  'PidMode',
  'SecurityOpt',
  'Sysctls',
  'Init',
  'Runtime',
  'DeviceRequests',
  'ConsoleSize',
];
const CONFIG = [
  'Cmd',
  'Entrypoint',
  'Env',
  'ExposedPorts',
  'Healthcheck',
  'Labels',
  'Volumes',
  'WorkingDir',
  'StopSignal',
  'StopTimeout',
  'Hostname',
  'Tty',
  'NetworkingConfig',
  'HostConfig',
];

describe('whatever a client sends', () => {
  it('makes a container’s description or is refused', () => {
    fc.assert(
      fc.property(objectOf(CONFIG), objectOf(HOST), fc.integer({ min: 24, max: 48 }), (config, host, api) => {
        mayRefuse(() => toContainerSpec(createBody({ HostConfig: host, ...config }, ''), { name: '', image, api }));
      }),
      SEED,
    );
  });

  it('is an update, an exec or a network, or is refused', () => {
    const { resources } = toContainerSpec(createBody({ Image: 'x' }, ''), { name: '', image, api: 48 });
    fc.assert(
      fc.property(
        objectOf(HOST),
        objectOf(['Cmd', 'Env', 'Tty', 'User', 'ConsoleSize']),
        objectOf(['Name', 'Driver', 'IPAM', 'Labels', 'Options']),
        (update, exec, network) => {
          mayRefuse(() => readChanges(updateBody(update, ''), resources));
          mayRefuse(() => execBody(exec, ''));
          mayRefuse(() => toNetworkSpec(networkBody(network, '')));
        },
      ),
      SEED,
    );
  });

  it('as a query is read or refused', () => {
    const known = ['label', 'name', 'until', 'dangling'];
    const parameters = [
      'filters',
      'buildargs',
      'labels',
      'ulimits',
      'cachefrom',
      'extrahosts',
      'shmsize',
      't',
      'platform',
      'networkmode',
      'memory',
    ];
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.oneof(fc.constantFrom(...parameters), text),
            fc.oneof(
              text,
              value.map((one) => JSON.stringify(one) ?? ''),
            ),
          ),
          { maxLength: 6 },
        ),
        (pairs) => {
          const query = new Query(
            pairs
              .map(
                ([name, given]) => `${encodeURIComponent(wellFormed(name))}=${encodeURIComponent(wellFormed(given))}`,
              )
              .join('&'),
          );
          mayRefuse(() => {
            const filters = readFilters(query, known);
            filters.flag('dangling');
            filters.matchLabels({ a: 'b' });
          });
          mayRefuse(() => readBuildOptions(query));
        },
      ),
      SEED,
    );
    fc.assert(
      fc.property(text, (raw) => {
        const query = new Query(raw);
        mayRefuse(() => query.json('filters'));
        mayRefuse(() => query.whole('t'));
      }),
      SEED,
    );
  });

  it('as a single value is read or refused', () => {
    fc.assert(
      fc.property(text, (one) => {
        mayRefuse(() => readPlatform(one));
        mayRefuse(() => readDetachKeys(one));
        mayRefuse(() => readTimestamp(one, 'since'));
        mayRefuse(() => readExactTime(one, 'since'));
        mayRefuse(() => readPast(one, 0, 'until'));
        mayRefuse(() => namePattern(one)('a-container-of-a-project-1'));
        mayRefuse(() => referencePattern(one)('localhost:5000/a/b:1.2'));
        mayRefuse(() => readRegistryAuth(one));
        mayRefuse(() => readRegistryConfig(one)('docker.io'));
        mayRefuse(() => readRegistryAuth(Buffer.from(one).toString('base64')));
      }),
      SEED,
    );
  });

  it('as a path is a version and an operation, or is refused', () => {
    const router = new Router(routes);
    const segment = fc.oneof(
      fc.constantFrom('containers', 'images', 'v1.41', 'json', 'exec', 'networks', '%2e%2e', '%', '%00', ''),
      fc.webSegment(),
    );
    fc.assert(
      fc.property(
        fc.array(segment, { maxLength: 6 }),
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'),
        (segments, method) => {
          mayRefuse(() => {
            const { api, path } = splitVersion(`/${segments.join('/')}`);
            router.find(method, path, api);
          });
        },
      ),
      SEED,
    );
  });
});

describe('the detach keys', () => {
  it('let through everything but themselves, however it is split', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ max: 4, maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 40 }),
        (typed, sizes) => {
          const keys = [1, 2];
          const watch = new DetachWatch(keys);
          const passed: number[] = [];
          let detached = false;
          for (let at = 0, turn = 0; at < typed.length && !detached; turn += 1) {
            const size = sizes[turn] ?? 3;
            const taken = watch.take(typed.subarray(at, at + size));
            passed.push(...taken.passed);
            detached = taken.detached;
            at += size;
          }
          const written = [...typed].join(',');
          const found = `,${written},`.indexOf(',1,2,');
          assert.equal(detached, found >= 0);
          const before =
            found >= 0
              ? [...typed].slice(
                  0,
                  written
                    .slice(0, found)
                    .split(',')
                    .filter((part) => part !== '').length,
                )
              : [...typed];
          // A first key at the very end is held back: the second may still come.
          if (!detached && before.at(-1) === 1) before.pop();
          assert.deepEqual(passed, before);
        },
      ),
      SEED,
    );
  });
});

/** Lone halves of surrogate pairs cannot be written into an address. */
function wellFormed(one: string): string {
  return one.toWellFormed();
}
