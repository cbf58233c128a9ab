import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Project } from '../project/project.ts';
import { loadText } from '../testing/test-project.ts';
import { networkHash, volumeHash } from './config-hash.ts';
import { LABELS } from './labels.ts';
import type { ObservedContainer } from './observed.ts';
import { type ContainerAction, type Observed, planUp, type UpOptions, type UpPlan } from './plan-up.ts';

const OPTIONS: UpOptions = {
  recreate: 'changed',
  recreateDependencies: 'changed',
  named: [],
  withoutDependencies: false,
  scale: new Map(),
};
const NOTHING: Observed = { containers: [], networks: [], volumes: [], images: new Map(), files: () => [] };

const project = (text: string): Project => loadText(text).project;
const plan = (text: string, observed: Observed = NOTHING, options: Partial<UpOptions> = {}): UpPlan =>
  planUp(project(text), observed, { ...OPTIONS, ...options });

/** `create web-1`, `recreate web-2: why`: what is done to each container. */
function told({ services, orphans }: UpPlan): string[] {
  const line = (action: ContainerAction) => {
    const name = 'container' in action ? action.container.name : action.name;
    const short = name.replace(/^test-/, '');
    return `${action.kind} ${short}${'reason' in action ? `: ${action.reason}` : ''}`;
  };
  return [...services.flatMap(({ actions }) => actions.map(line)), ...orphans.map(({ name }) => `orphan ${name}`)];
}

/** What the engine would have after the plan was carried out. */
function after(source: Project, made: UpPlan, before: Observed): Observed {
  const networks = new Map(before.networks.map((network) => [network.name, network]));
  for (const action of made.networks) {
    if (action.kind !== 'create' && action.kind !== 'recreate') continue;
    const { name } = source.networks.get(action.key)!;
    const labels = { [LABELS.project]: source.name, [LABELS.configHash]: action.hash };
    networks.set(name, { id: `${name}@${action.hash.slice(0, 6)}`, name, labels });
  }
  const containers: ObservedContainer[] = [];
  const idOf = (service: string) => containers.find((container) => container.service === service)?.id;
  for (const { service, hash, actions } of made.services) {
    for (const action of actions) {
      if (action.kind === 'remove') continue;
      if (action.kind !== 'create' && action.kind !== 'recreate') {
        containers.push({ ...action.container, state: 'running' });
        continue;
      }
      const modes = [service.network_mode, service.pid, service.ipc, ...(service.volumes_from ?? [])];
      const shares = modes.flatMap((mode) => {
        const peer = idOf(mode?.replace(/^service:/, '').split(':')[0] ?? '');
        return peer === undefined ? [] : [peer];
      });
      containers.push({
        id: `${action.name}@${containers.length}${hash.slice(0, 6)}${action.kind}`,
        name: action.name,
        service: service.name,
        number: action.number,
        oneOff: false,
        configHash: hash,
        image: before.images.get(service.name) ?? '',
        state: 'running',
        exitCode: 0,
        health: 'none',
        networks: new Map(
          [...(service.networks?.keys() ?? [])].map((key) => {
            const { name } = source.networks.get(key)!;
            return [name, networks.get(name)?.id ?? ''];
          }),
        ),
        volumes: new Map(),
        shares,
        needs: [],
        labels: {},
        tty: false,
        created: containers.length,
        startedAt: '',
      });
    }
  }
  const others = before.containers.filter(({ service }) => !made.services.some((one) => one.service.name === service));
  const volumes = new Map(before.volumes.map((volume) => [volume.name, volume]));
  for (const action of made.volumes) {
    if (action.kind !== 'create') continue;
    const { name } = source.volumes.get(action.key)!;
    volumes.set(name, { name, labels: { [LABELS.project]: source.name, [LABELS.configHash]: action.hash } });
  }
  return {
    ...before,
    networks: [...networks.values()],
    volumes: [...volumes.values()],
    containers: [...others, ...containers],
  };
}

/** The state after `up` of this file. */
function up(text: string, before: Observed = NOTHING, options: Partial<UpOptions> = {}): Observed {
  const source = project(text);
  return after(source, planUp(source, before, { ...OPTIONS, ...options }), before);
}

const SHOP = `
services:
  web: {image: web, depends_on: [api], ports: ["8080:80"], networks: [front]}
  api: {image: api, depends_on: {db: {condition: service_healthy, restart: true}}, scale: 2, networks: [front, back]}
  db: {image: db, volumes: ["data:/data"], networks: [back]}
networks: {front: , back: {internal: true}, unused: }
volumes: {data: , unused: }
`;

describe('the plan of up', () => {
  it('makes everything at first, each after what it needs, and nothing that nobody uses', () => {
    const made = plan(SHOP);
    assert.deepEqual(told(made), ['create db-1', 'create api-1', 'create api-2', 'create web-1']);
    assert.deepEqual(
      made.networks.map(({ kind, key }) => `${kind} ${key}`),
      ['create front', 'create back'],
    );
    assert.deepEqual(
      made.volumes.map(({ kind, key }) => `${kind} ${key}`),
      ['create data'],
    );
  });

  it('leaves alone what is as it should be', () => {
    const made = plan(SHOP, up(SHOP));
    assert.deepEqual(told(made), ['keep db-1', 'keep api-1', 'keep api-2', 'keep web-1']);
    assert.deepEqual(
      made.networks.map(({ kind }) => kind),
      ['keep', 'keep'],
    );
    assert.deepEqual(
      made.volumes.map(({ kind }) => kind),
      ['keep'],
    );
  });

  it('does not mind the order in a file, its comments or its syntaxes', () => {
    const other = SHOP.replace(
      '{image: web, depends_on: [api], ports: ["8080:80"], networks: [front]}',
      '{networks: {front: {}}, ports: [{published: 8080, target: 80, mode: ingress}], image: web, depends_on: {api: {condition: service_started}}}',
    );
    assert.deepEqual(
      told(plan(`# hello${other}`, up(SHOP))).filter((line) => !line.startsWith('keep')),
      [],
    );
  });

  for (const [name, from, to, expected] of [
    [
      'recreates a service whose configuration changed, and restarts what asks for that',
      'image: db',
      'image: db, hostname: x',
      ['recreate db-1: its configuration changed', 'restart api-1', 'restart api-2', 'keep web-1'],
    ],
    [
      'leaves the others alone',
      'image: web',
      'image: web, tty: true',
      ['keep db-1', 'keep api-1', 'keep api-2', 'recreate web-1: its configuration changed'],
    ],
    [
      'adds containers',
      'scale: 2',
      'scale: 4',
      ['keep db-1', 'keep api-1', 'keep api-2', 'create api-3', 'create api-4', 'keep web-1'],
    ],
    [
      'takes away those with the highest numbers',
      'scale: 2',
      'scale: 1',
      ['keep db-1', 'keep api-1', 'remove api-2: there are more than wanted', 'keep web-1'],
    ],
    [
      'takes away all',
      'scale: 2',
      'scale: 0',
      [
        'keep db-1',
        'remove api-1: there are more than wanted',
        'remove api-2: there are more than wanted',
        'keep web-1',
      ],
    ],
    [
      'does not recreate for a build or a way of pulling',
      'image: db',
      'image: db, build: ., pull_policy: always, profiles: []',
      ['keep db-1', 'keep api-1', 'keep api-2', 'keep web-1'],
    ],
  ] as const) {
    it(name, () => assert.deepEqual(told(plan(SHOP.replace(from, to), up(SHOP))), expected));
  }

  it('recreates a network that changed, and what is on it', () => {
    const made = plan(SHOP.replace('internal: true', 'internal: false'), up(SHOP));
    assert.deepEqual(
      made.networks.map(({ kind, key }) => `${kind} ${key}`),
      ['keep front', 'recreate back'],
    );
    assert.deepEqual(told(made), [
      'recreate db-1: the network back changed',
      'recreate api-1: the network back changed',
      'recreate api-2: the network back changed',
      'keep web-1',
    ]);
  });

  it('recreates what is not on its network, as when that was deleted and made again', () => {
    const state = up(SHOP);
    const networks = state.networks.map((network) =>
      network.name === 'test_front' ? { ...network, id: 'another' } : network,
    );
    assert.deepEqual(
      told(plan(SHOP, { ...state, networks })).filter((line) => !line.startsWith('keep')),
      [
        'recreate api-1: it is not on the network front',
        'recreate api-2: it is not on the network front',
        'recreate web-1: it is not on the network front',
      ],
    );
  });

  it('keeps a volume whose options changed', () => {
    const made = plan(SHOP.replace('data: ,', 'data: {labels: {a: b}},'), up(SHOP));
    assert.deepEqual(
      made.volumes.map(({ kind, key }) => `${kind} ${key}`),
      ['differs data'],
    );
  });

  it('needs external networks and volumes to be there', () => {
    const text =
      'services: {web: {image: x, networks: [n], volumes: ["v:/v"]}}\nnetworks: {n: {external: true}}\nvolumes: {v: {external: true, name: theirs}}';
    const made = plan(text);
    assert.deepEqual([made.networks, made.volumes], [[{ kind: 'missing', key: 'n' }], [{ kind: 'missing', key: 'v' }]]);
    const there = plan(text, {
      ...NOTHING,
      networks: [{ id: '1', name: 'n', labels: {} }],
      volumes: [{ name: 'theirs', labels: {} }],
    });
    assert.deepEqual([there.networks, there.volumes], [[], []]);
  });

  it('recreates when the image is another, or everything or nothing when told', () => {
    const images = new Map([['web', 'sha256:1']]);
    const state = up(SHOP, { ...NOTHING, images });
    assert.deepEqual(told(plan(SHOP, state)).at(-1), 'keep web-1');
    const newer = { ...state, images: new Map([['web', 'sha256:2']]) };
    assert.deepEqual(told(plan(SHOP, newer)).at(-1), 'recreate web-1: its image changed');
    assert.deepEqual(told(plan(SHOP, newer, { recreate: 'never' })).at(-1), 'keep web-1');
    assert.equal(
      told(plan(SHOP, state, { recreate: 'always' })).filter((line) => line.startsWith('recreate')).length,
      4,
    );
  });

  it('starts what stands, unless it is gone for good', () => {
    const state = up(SHOP);
    const containers = state.containers.map((container) => ({
      ...container,
      state:
        container.service === 'db'
          ? ('exited' as const)
          : container.service === 'web'
            ? ('dead' as const)
            : container.state,
    }));
    assert.deepEqual(told(plan(SHOP, { ...state, containers })), [
      'start db-1',
      'keep api-1',
      'keep api-2',
      'recreate web-1: it is dead',
    ]);
  });

  it('takes the named services and what they need, and recreates only the named', () => {
    assert.deepEqual(told(plan(SHOP, NOTHING, { named: ['api'] })), ['create db-1', 'create api-1', 'create api-2']);
    assert.deepEqual(told(plan(SHOP, NOTHING, { named: ['api'], withoutDependencies: true })), [
      'create api-1',
      'create api-2',
    ]);
    const made = plan(SHOP, up(SHOP), { named: ['db', 'web'], recreate: 'always' });
    assert.deepEqual(told(made), [
      'recreate db-1: it was asked for',
      'restart api-1',
      'restart api-2',
      'recreate web-1: it was asked for',
    ]);
  });

  it('scales as the command line says', () => {
    assert.deepEqual(told(plan(SHOP, up(SHOP), { scale: new Map([['web', 2]]) })).slice(-2), [
      'keep web-1',
      'create web-2',
    ]);
  });

  it('finds orphans, but not services whose profile is not active, nor one-off containers', () => {
    const state = up('services: {web: {image: x}, old: {image: x}, extra: {image: x}}');
    const [first] = state.containers;
    const oneOff: ObservedContainer = { ...first!, id: 'r', name: 'test-gone-run-1', service: 'gone', oneOff: true };
    const text = 'services: {web: {image: x}, extra: {image: x, profiles: [p]}}';
    assert.deepEqual(told(plan(text, { ...state, containers: [...state.containers, oneOff] })), [
      'keep web-1',
      'orphan test-old-1',
    ]);
  });

  it('clears up what an interrupted run left: two with the same number', () => {
    const state = up(SHOP);
    const old = state.containers.find(({ service }) => service === 'web')!;
    const left: ObservedContainer = { ...old, id: 'old', name: '0123_test-web-1', configHash: 'old', created: -1 };
    assert.deepEqual(told(plan(SHOP, { ...state, containers: [left, ...state.containers] })).slice(-2), [
      'keep web-1',
      'remove 0123_test-web-1: there are more than wanted',
    ]);
    const containers = state.containers.map((container) => (container.service === 'web' ? left : container));
    assert.deepEqual(
      told(plan(SHOP, { ...state, containers })).at(-1),
      'recreate 0123_test-web-1: its configuration changed',
    );
  });

  it('recreates what shares a namespace or volumes of what is made anew', () => {
    const text = `
services:
  a: {image: x}
  net: {image: x, network_mode: "service:a"}
  vol: {image: x, volumes_from: ["a:ro"]}
  ipc: {image: x, ipc: "service:vol"}
  other: {image: x}`;
    const state = up(text);
    assert.deepEqual(
      told(plan(text, state)).every((line) => line.startsWith('keep')),
      true,
    );
    assert.deepEqual(told(plan(text.replace('a: {image: x}', 'a: {image: x, tty: true}'), state)), [
      'recreate a-1: its configuration changed',
      'recreate net-1: it shares what "a" has, and that is made anew',
      'recreate vol-1: it shares what "a" has, and that is made anew',
      'recreate ipc-1: it shares what "vol" has, and that is made anew',
      'keep other-1',
    ]);
  });

  it('uses the name that the file gives', () => {
    assert.deepEqual(told(plan('services: {web: {image: x, container_name: mine}}')), ['create mine']);
  });

  it('has nothing to do after it was carried out, whatever was there before', () => {
    const service = fc.record({
      scale: fc.integer({ min: 0, max: 4 }),
      hostname: fc.constantFrom('a', 'b'),
      network: fc.constantFrom('default', 'n'),
      shares: fc.boolean(),
    });
    const file = fc
      .record({ one: service, two: fc.option(service), internal: fc.boolean() })
      .map(({ one, two, internal }) => {
        const member = ({ scale, hostname, network }: typeof one, more = '') =>
          `{image: x, scale: ${scale}, hostname: ${hostname}${more || `, networks: [${network}]`}}`;
        const second =
          two === null
            ? ''
            : `\n  two: ${member(two, two.shares && one.scale > 0 ? ', network_mode: "service:one"' : '')}`;
        return `services:\n  one: ${member(one)}${second}\nnetworks: {n: {internal: ${internal}}}`;
      });
    fc.assert(
      fc.property(fc.array(file, { minLength: 1, maxLength: 4 }), (files) => {
        let state = NOTHING;
        for (const text of files) {
          state = up(text, state);
          const again = plan(text, state);
          assert.deepEqual(
            again.services.flatMap(({ actions }) => actions.filter(({ kind }) => kind !== 'keep')),
            [],
          );
          assert.ok(again.networks.every(({ kind }) => kind === 'keep'));
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('digests of configurations', () => {
  it('change with what a network or a volume is', () => {
    assert.notEqual(networkHash({ internal: true }), networkHash({}));
    assert.equal(
      networkHash({
        internal: true,
        labels: new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
      }),
      networkHash({
        labels: new Map([
          ['b', '2'],
          ['a', '1'],
        ]),
        internal: true,
      }),
    );
    assert.notEqual(volumeHash({ driver_opts: new Map([['type', 'tmpfs']]) }), volumeHash({}));
  });
});
