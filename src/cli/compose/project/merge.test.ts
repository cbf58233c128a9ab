// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose files write variables like this
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadText, plain } from '../testing/test-project.ts';

/** What a member of the service `web` is after a second file was put on top of a first. */
function merged(base: string, over: string, member: string): unknown {
  const indent = (text: string) => text.split('\n').map((line) => `    ${line}`);
  const file = (text: string, image: string) => ['services:', '  web:', image, ...indent(text)].join('\n');
  const more = '\nvolumes: {a: , b: }\nsecrets: {s: {file: s}, t: {file: t}}\nnetworks: {n: , m: }';
  const { project, directory } = loadText({
    'compose.yaml': `${file(base, '    image: x')}${more}`,
    'compose.override.yaml': file(over, '    image: y'),
  });
  const service = plain(project.services.get('web')) as Record<string, unknown>;
  return JSON.parse(JSON.stringify(service[member] ?? null).replaceAll(directory, 'DIR'));
}

describe('a later Compose file', () => {
  // https://docs.docker.com/reference/compose-file/merge/
  const cases: readonly [name: string, base: string, over: string, member: string, expected: unknown][] = [
    ['replaces a scalar', 'hostname: a', 'hostname: b', 'hostname', 'b'],
    ['adds to a map', 'labels: {a: 1, b: 2}', 'labels: {b: 3, c: 4}', 'labels', { a: '1', b: '3', c: '4' }],
    [
      'adds to a map in either syntax',
      'environment: {A: 1, B: 2}',
      'environment: [B=3, C=4]',
      'environment',
      { A: '1', B: '3', C: '4' },
    ],
    ['adds to a list', 'dns: [1.1.1.1]', 'dns: 8.8.8.8', 'dns', ['1.1.1.1', '8.8.8.8']],
    ['adds what is not there yet', 'cap_add: [A, B]', 'cap_add: [B, C]', 'cap_add', ['A', 'B', 'C']],
    ['replaces the command', 'command: [echo, foo]', 'command: echo bar', 'command', ['echo', 'bar']],
    ['replaces the entry point', 'entrypoint: a b', 'entrypoint: [c]', 'entrypoint', ['c']],
    ['clears the command', 'command: a', 'command:', 'command', null],
    ['leaves alone what it says nothing of', 'hostname: a', 'tty: true', 'hostname', 'a'],
    [
      'replaces the test of health alone',
      'healthcheck: {test: [CMD, a], retries: 2}',
      'healthcheck: {test: b}',
      'healthcheck',
      { test: ['CMD-SHELL', 'b'], retries: 2 },
    ],
    [
      'replaces a mount at the same place',
      'volumes: ["a:/x:ro", "a:/y"]',
      'volumes: ["b:/x"]',
      'volumes',
      [
        { type: 'volume', source: 'b', target: '/x' },
        { type: 'volume', source: 'a', target: '/y' },
      ],
    ],
    [
      'replaces a secret at the same place',
      'secrets: [s]',
      'secrets: [{source: t, target: s}]',
      'secrets',
      [{ source: 't', target: '/run/secrets/s' }],
    ],
    [
      'replaces the same port, adds another',
      'ports: ["80:80", "81:81"]',
      'ports: [{target: 80, published: 80, name: x}, "82:80"]',
      'ports',
      [
        { target: 80, published: '80', name: 'x', protocol: 'tcp' },
        { mode: 'ingress', target: 81, published: '81', protocol: 'tcp' },
        { mode: 'ingress', target: 80, published: '82', protocol: 'tcp' },
      ],
    ],
    [
      'adds addresses of hosts',
      'extra_hosts: {h: 1.1.1.1}',
      'extra_hosts: ["h=2.2.2.2", "i=3.3.3.3"]',
      'extra_hosts',
      { h: ['1.1.1.1', '2.2.2.2'], i: ['3.3.3.3'] },
    ],
    [
      'adds to networks, and to what is said of each',
      'networks: [n]',
      'networks: {n: {aliases: [x]}, m: }',
      'networks',
      { n: { aliases: ['x'] }, m: {} },
    ],
    ['adds to a build', 'build: ./app', 'build: {args: [A=1]}', 'build', { context: 'DIR/app', args: { A: '1' } }],
    [
      'merges options of the same log driver',
      'logging: {driver: json-file, options: {max-size: 1m}}',
      'logging: {options: {max-file: 2}}',
      'logging',
      { driver: 'json-file', options: { 'max-size': '1m', 'max-file': '2' } },
    ],
    [
      'replaces those of another',
      'logging: {driver: json-file, options: {max-size: 1m}}',
      'logging: {driver: none}',
      'logging',
      { driver: 'none' },
    ],
    [
      'replaces a limit',
      'ulimits: {nofile: 1, nproc: 2}',
      'ulimits: {nofile: {soft: 3, hard: 4}}',
      'ulimits',
      { nofile: { soft: 3, hard: 4 }, nproc: { soft: 2, hard: 2 } },
    ],
    [
      'merges deep',
      'deploy: {replicas: 2, resources: {limits: {memory: 1m}}}',
      'deploy: {resources: {limits: {cpus: 1}}}',
      'deploy',
      { replicas: 2, resources: { limits: { memory: 1048576, cpus: 1 } } },
    ],
    [
      'replaces a device at the same place',
      'devices: ["/dev/null:/dev/x"]',
      'devices: ["/dev/zero:/dev/x:r"]',
      'devices',
      [{ source: '/dev/zero', target: '/dev/x', permissions: 'r' }],
    ],
    ['resets a list', 'ports: ["80:80"]', 'ports: !reset []', 'ports', null],
    ['resets one variable', 'environment: [A=1, B=2]', 'environment: {A: !reset null}', 'environment', { B: '2' }],
    ['resets one network', 'networks: {n: , m: }', 'networks: {n: !reset null}', 'networks', { m: {} }],
    [
      'overrides a list',
      'ports: ["80:80"]',
      'ports: !override ["8443:443"]',
      'ports',
      [{ mode: 'ingress', target: 443, published: '8443', protocol: 'tcp' }],
    ],
    ['overrides a map', 'labels: {a: 1}', 'labels: !override {b: 2}', 'labels', { b: '2' }],
    [
      'resets the whole of something',
      'healthcheck: {test: x, retries: 1}',
      'healthcheck: !reset {}',
      'healthcheck',
      null,
    ],
    [
      'overrides deep inside',
      'build: {context: a, args: {A: 1, B: 2}}',
      'build: {args: !override {C: 3}}',
      'build',
      { context: 'DIR/a', args: { C: '3' } },
    ],
  ];
  for (const [name, base, over, member, expected] of cases) {
    it(name, () => assert.deepEqual(merged(base, over, member), expected));
  }

  it('resets or replaces a whole service, and networks', () => {
    const { project } = loadText({
      'compose.yaml':
        'services: {a: {image: x}, b: {image: y, tty: true}}\nnetworks: {default: {internal: true, ipam: {config: [{subnet: 10.1.0.0/16}]}}}',
      'compose.override.yaml':
        'services: {a: !reset {}, b: !override {image: z}}\nnetworks: {default: {ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.9}]}}}',
    });
    assert.deepEqual([...project.services.keys()], ['b']);
    assert.deepEqual([project.services.get('b')?.image, project.services.get('b')?.tty], ['z', undefined]);
    assert.deepEqual(plain(project.networks.get('default')), {
      internal: true,
      ipam: { config: [{ subnet: '10.1.0.0/16', gateway: '10.1.0.9' }] },
      name: 'test_default',
    });
  });

  it('may be a further document of the same file, and there may be many files', () => {
    const { project } = loadText(
      {
        'a.yaml': 'services: {web: {image: a, hostname: one}}\n---\nservices: {web: {hostname: two, tty: true}}',
        'b/b.yaml': 'services: {web: {image: b, build: ctx}}',
        'c.yaml': 'services: {web: {domainname: c}}',
      },
      { files: ['a.yaml', 'b/b.yaml', 'c.yaml'] },
    );
    const { image, hostname, tty, domainname, build } = project.services.get('web')!;
    assert.deepEqual([image, hostname, tty, domainname], ['b', 'two', true, 'c']);
    // https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/: paths start at the first file.
    assert.equal(build!.context, `${project.directory}/ctx`);
  });

  it('cannot tag an item of a list', () => {
    assert.throws(() => merged('ports: ["80:80"]', 'ports: [!reset "80:80"]', 'ports'), {
      message: 'compose.override.yaml:4: services.web.ports[0] cannot be tagged !reset: tag the whole list',
    });
  });
});

describe('extends', () => {
  // https://docs.docker.com/reference/compose-file/services/#extends
  it('begins with another service of the file', () => {
    const { project } = loadText(
      'services:\n  base: {image: x, environment: [A=1, B=2], command: a, ports: ["1:1"], profiles: [never]}\n' +
        '  web: {extends: base, environment: {B: 3}, command: b, ports: ["2:2"], profiles: !reset []}\n' +
        '  two: {extends: {service: web}, image: y}',
    );
    const { image, environment, command, ports } = project.services.get('web')!;
    assert.deepEqual([image, plain(environment), command], ['x', { A: '1', B: '3' }, ['b']]);
    assert.deepEqual(
      ports?.map(({ target }) => target),
      [1, 2],
    );
    assert.deepEqual(
      [project.services.get('two')?.image, plain(project.services.get('two')?.environment)],
      ['y', { A: '1', B: '3' }],
    );
  });

  it('takes a service of another file, whose paths start there', () => {
    const { project } = loadText({
      'compose.yaml': 'services:\n  web: {extends: {file: common/base.yaml, service: app}, volumes: ["./w:/w"]}',
      'common/base.yaml':
        'services:\n  app: {extends: root, volumes: ["./c:/c"], env_file: app.env}\n  root: {build: ctx}',
      'common/app.env': 'A=1',
    });
    const { volumes, build, environment } = project.services.get('web')!;
    const { directory } = project;
    assert.deepEqual(
      volumes?.map(({ source }) => source),
      [`${directory}/common/c`, `${directory}/w`],
    );
    assert.deepEqual([build!.context, plain(environment)], [`${directory}/common/ctx`, { A: '1' }]);
  });

  it('finds a service of an earlier file', () => {
    const { project } = loadText({
      'compose.yaml': 'services: {base: {image: x}}',
      'compose.override.yaml': 'services: {web: {extends: base}}',
    });
    assert.equal(project.services.get('web')?.image, 'x');
  });

  for (const [name, files, message] of [
    [
      'a circle',
      { 'compose.yaml': 'services:\n  a: {extends: b}\n  b: {extends: a}' },
      /^compose\.yaml:2: services extend each other in a circle: compose\.yaml:a → compose\.yaml:b → compose\.yaml:a$/,
    ],
    [
      'a service that is not there',
      { 'compose.yaml': 'services: {a: {extends: bb}}' },
      /^there is no service "bb" to extend in compose\.yaml$/,
    ],
    [
      'a file that is not there',
      { 'compose.yaml': 'services: {a: {extends: {service: b, file: x.yaml}}}' },
      /^cannot read x\.yaml: there is no such file$/,
    ],
    [
      'what the other file gets wrong, with its line',
      {
        'compose.yaml': 'services: {a: {extends: {service: b, file: x.yaml}}}',
        'x.yaml': 'services:\n  b:\n    imag: y',
      },
      /^x\.yaml:3: services\.b\.imag is not a Compose member$/,
    ],
  ] as const) {
    it(`refuses ${name}`, () => assert.throws(() => loadText(files), { message }));
  }
});

describe('include', () => {
  // https://docs.docker.com/reference/compose-file/include/
  it('adds the services of another application, with its own directory and variables', () => {
    const { project } = loadText(
      {
        'compose.yaml': 'include: [db/compose.yaml]\nservices: {web: {image: w, depends_on: [db]}}',
        'db/compose.yaml':
          'name: other\ninclude: [{path: more.yaml}]\nservices: {db: {image: "db:${TAG}", volumes: ["./d:/d", "data:/v"], environment: {O: "${OUTER}"}}}\nvolumes: {data: }',
        'db/.env': 'TAG=7\nOUTER=inner',
        'db/more.yaml': 'services: {more: {image: m}}',
      },
      { environment: { OUTER: 'outer' } },
    );
    assert.deepEqual([...project.services.keys()].sort(), ['db', 'more', 'web']);
    const db = project.services.get('db')!;
    assert.deepEqual([db.image, plain(db.environment)], ['db:7', { O: 'outer' }]);
    assert.deepEqual(db.volumes?.[0]?.source, `${project.directory}/db/d`);
    assert.equal(project.volumes.get('data')?.name, 'test_data');
  });

  it('takes several files, a directory and environment files', () => {
    const { project } = loadText({
      'compose.yaml': 'include: [{path: [a/1.yaml, a/2.yaml], project_directory: ., env_file: [one.env, two.env]}]',
      'a/1.yaml': 'services: {a: {build: ctx, environment: {A: "$A", B: "$B"}}}',
      'a/2.yaml': 'services: {a: {hostname: h}}',
      'one.env': 'A=1\nB=1',
      'two.env': 'B=2',
    });
    const { build, hostname, environment } = project.services.get('a')!;
    assert.deepEqual(
      [build!.context, hostname, plain(environment)],
      [`${project.directory}/ctx`, 'h', { A: '1', B: '2' }],
    );
  });

  it('refuses what both define, unless it is the same; a further file may change it', () => {
    const files = {
      'compose.yaml': 'include: [x.yaml]\nservices:\n  a: {image: mine}\nnetworks: {n: {internal: true}}',
      'x.yaml': 'services: {a: {image: theirs}}\nnetworks: {n: {internal: true}}',
    };
    assert.throws(() => loadText(files), {
      message: 'compose.yaml:3: services.a is defined here, and otherwise in x.yaml, which is included',
    });
    const { project } = loadText({
      ...files,
      'compose.yaml': 'include: [x.yaml]\nservices: {b: {image: b}}',
      'compose.override.yaml': 'services: {a: {image: mine}}',
    });
    assert.equal(project.services.get('a')?.image, 'mine');
  });

  it('refuses circles and what is elsewhere', () => {
    assert.throws(() => loadText({ 'compose.yaml': 'include: [b.yaml]', 'b.yaml': 'include: [compose.yaml]' }), {
      message: 'Compose files include each other in a circle: compose.yaml → b.yaml → compose.yaml',
    });
    for (const text of ['["https://example.com/x.git"]', '[{path: "oci://example.com/x"}]'])
      assert.throws(() => loadText(`include: ${text}`), { message: /must be a file of this machine/ });
  });
});
