// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose files write variables like this
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadText, plain, TestDirectory } from '../testing/test-project.ts';

const ONE = 'services: {web: {image: x}}';

describe('which Compose files are read', () => {
  it('the first of the usual names, here or above, and its override', () => {
    using directory = new TestDirectory({
      'compose.yml': ONE,
      'docker-compose.yml': 'services: {other: {image: y}}',
      'docker-compose.override.yml': 'services: {web: {hostname: h}}',
      'a/b/c.txt': '',
    });
    const project = directory.load({ workingDirectory: join(directory.path, 'a/b') });
    assert.deepEqual(project.files, [
      join(directory.path, 'compose.yml'),
      join(directory.path, 'docker-compose.override.yml'),
    ]);
    assert.deepEqual([project.directory, project.services.get('web')?.hostname], [directory.path, 'h']);
    assert.match(
      project.warnings.map(({ message }) => message).join(),
      /several Compose files: .*compose\.yml is used/,
    );
  });

  it('those named by -f, COMPOSE_FILE or standard input', () => {
    const files = { 'a.yaml': ONE, 'b.yaml': 'services: {web: {hostname: b}}', '.env': 'COMPOSE_FILE=a.yaml:b.yaml' };
    assert.equal(loadText(files).project.services.get('web')?.hostname, 'b');
    assert.equal(loadText(files, { files: ['a.yaml'] }).project.services.get('web')?.hostname, undefined);
    assert.equal(
      loadText(files, { environment: { COMPOSE_FILE: 'a.yaml,b.yaml', COMPOSE_PATH_SEPARATOR: ',' } }).project.files
        .length,
      2,
    );
    const { project } = loadText({}, { files: ['-'], readStandardInput: () => ONE });
    assert.deepEqual([project.services.get('web')?.image, project.files], ['x', ['-']]);
  });

  it('says when there are none', () => {
    assert.throws(() => loadText({}), { message: /^there is no Compose file here/, exitCode: 2 });
    assert.throws(() => loadText({}, { files: ['x.yaml'] }), { message: /^there is no file .*x\.yaml$/ });
    assert.throws(() => loadText('services: {}'), { message: 'there are no services' });
    assert.throws(() => loadText('- a'), { message: 'compose.yaml:1: a Compose file is a map of members' });
    assert.throws(() => loadText('servces: {}'), {
      message: 'compose.yaml:1: servces is not a Compose member',
      hint: 'Did you mean "services"?',
    });
  });

  it('says which service has no image', () => {
    assert.throws(() => loadText('services: {a: {image: "${NONE-}"}}'), {
      message: 'compose.yaml:1: services.a has neither "image" nor "build": give one',
    });
  });

  it('ignores version, and says so', () => {
    const { warnings } = loadText(`version: '3.8'\n${ONE}`);
    assert.deepEqual(warnings, ['compose.yaml:1: version is obsolete and ignored: it can go']);
  });

  it('ignores extensions', () => {
    assert.deepEqual(
      loadText(`x-a: [1]\nservices: {web: {image: x, x-b: {c: 1}, deploy: {x-d: 1}}}\nnetworks: {n: {x-e: 1}}`)
        .warnings,
      [],
    );
  });
});

describe('the name of a project', () => {
  // https://docs.docker.com/compose/how-tos/project-name/
  const name = (files: Record<string, string>, options = {}) =>
    loadText(files, { projectName: undefined, ...options }).project.name;

  it('comes from -p, the environment, the file or the directory, in this order', () => {
    const files = { 'compose.yaml': `name: from-$\{KIND}\n${ONE}`, '.env': 'KIND=file' };
    assert.equal(name(files), 'from-file');
    assert.equal(name(files, { environment: { COMPOSE_PROJECT_NAME: 'from-variable' } }), 'from-variable');
    assert.equal(name({ ...files, '.env': 'COMPOSE_PROJECT_NAME=from-env-file\nKIND=' }), 'from-env-file');
    assert.equal(
      name(files, { projectName: 'from-option', environment: { COMPOSE_PROJECT_NAME: 'x' } }),
      'from-option',
    );
    using directory = new TestDirectory({ '_My App.2/compose.yaml': ONE });
    const project = directory.load({ projectName: undefined, files: ['_My App.2/compose.yaml'] });
    assert.equal(project.name, 'myapp2');
  });

  it('is refused when it is not valid', () => {
    assert.throws(() => name({ 'compose.yaml': ONE }, { projectName: 'Big' }), {
      message: '-p gives the project a name that is not valid: "Big"',
    });
    assert.throws(() => name({ 'compose.yaml': `name: a.b\n${ONE}` }), { message: /^"name" gives the project a name/ });
  });

  it('is a variable of the files, and begins the names of networks and volumes', () => {
    const { project } = loadText(
      'services: {web: {image: "$COMPOSE_PROJECT_NAME/x", volumes: ["d:/d", "e:/e", "f:/f"]}}\nvolumes: {d: , e: {name: my-e}, f: {external: true}}',
    );
    assert.equal(project.services.get('web')?.image, 'test/x');
    assert.deepEqual(
      [...project.networks].map(([key, { name: own }]) => [key, own]),
      [['default', 'test_default']],
    );
    assert.deepEqual(
      [...project.volumes.values()].map(({ name: own }) => own),
      ['test_d', 'my-e', 'f'],
    );
  });
});

describe('variables of a project', () => {
  it('are those of the shell, then of .env beside the file, or of the files that are named', () => {
    const files = {
      'compose.yaml': 'services: {web: {image: "$A-$B-$C"}}',
      '.env': 'A=env\nB=env\nC=${B}',
      'one.env': 'A=1\nB=1\nC=1',
      'two.env': 'B=2\nC=$A$B',
    };
    const image = (options = {}) => loadText(files, options).project.services.get('web')?.image;
    assert.equal(image(), 'env-env-env');
    assert.equal(image({ environment: { A: 'shell' } }), 'shell-env-env');
    assert.equal(image({ envFiles: ['one.env', 'two.env'] }), '1-2-12');
    assert.equal(image({ environment: { COMPOSE_ENV_FILES: 'one.env' } }), '1-1-1');
    assert.equal(image({ environment: { COMPOSE_DISABLE_ENV_FILE: '1', A: 'a' } }), 'a--');
    assert.throws(() => image({ envFiles: ['none.env'] }), { message: 'cannot read none.env: there is no such file' });
  });

  it('that are not set are warned of once, and demanded ones refused with their line', () => {
    const { warnings } = loadText('services: {web: {image: "x$NONE", hostname: "a$NONE", command: "$OTHER"}}');
    assert.deepEqual(warnings, [
      'the variable NONE is not set; an empty text takes its place',
      'the variable OTHER is not set; an empty text takes its place',
    ]);
    assert.throws(() => loadText('services:\n  web:\n    image: ${TAG:?say which}'), {
      message: 'compose.yaml:3: services.web.image: the variable TAG is required: say which',
    });
    assert.throws(() => loadText('services:\n  web:\n    command: ["a", "b $1"]'), {
      message: /^compose\.yaml:3: services\.web\.command\[1\]: "b \$1" is no valid use of variables/,
    });
  });

  it('may stand for numbers and truth values', () => {
    const { project } = loadText('services: {web: {image: x, scale: $N, init: $T, ports: ["$P:80"], mem_limit: $M}}', {
      environment: { N: '2', T: 'true', P: '8080-8090', M: '1g' },
    });
    const { replicas, init, ports, mem_limit } = project.services.get('web')!;
    assert.deepEqual([replicas, init, ports?.[0]?.published, mem_limit], [2, true, '8080-8090', 1024 ** 3]);
  });

  it('for containers come from env_file, then from environment', () => {
    const { project } = loadText(
      {
        'compose.yaml':
          'services: {web: {image: x, env_file: [a.env, {path: b.env, required: true}, {path: none.env, required: false}, {path: raw.env, format: raw}], environment: {C: c, TAKEN: , GONE: }}}',
        'a.env': 'A=a\nB=a\nC=a\nGONE=a',
        'b.env': 'B=b$A$OUT',
        'raw.env': 'R="$A"',
      },
      { environment: { TAKEN: 'shell', OUT: '!' } },
    );
    assert.deepEqual(plain(project.services.get('web')!.environment), {
      A: 'a',
      B: 'ba!',
      C: 'c',

      R: '"$A"',
      TAKEN: 'shell',
    });
  });

  it('are not looked for in the containers’ own, nor labels of a file over those said', () => {
    const { project } = loadText({
      'compose.yaml': 'services: {web: {image: x, label_file: l, labels: [b=2]}}',
      l: 'a=1\nb=1',
    });
    assert.deepEqual(plain(project.services.get('web')!.labels), { a: '1', b: '2' });
  });
});

describe('profiles', () => {
  // https://docs.docker.com/reference/compose-file/profiles/
  const text =
    'services: {a: {image: x}, b: {image: x, profiles: [test]}, c: {image: x, profiles: [test, debug], depends_on: [b]}}';
  const active = (options = {}) => [...loadText(text, options).project.services.keys()];

  it('make services active that would not be', () => {
    assert.deepEqual(active(), ['a']);
    assert.deepEqual(active({ profiles: ['test'] }), ['a', 'b', 'c']);
    assert.deepEqual(active({ environment: { COMPOSE_PROFILES: 'test,other' } }), ['a', 'b', 'c']);
    assert.deepEqual(active({ profiles: ['*'] }), ['a', 'b', 'c']);
    assert.deepEqual(active({ named: ['b'] }), ['a', 'b', 'c']);
  });

  it('must be active for what an active service needs', () => {
    assert.throws(() => active({ profiles: ['debug'] }), {
      message: 'compose.yaml:1: services.c.depends_on needs the service "b", which is not active',
      hint: 'Activate it: --profile test',
    });
    const optional = text.replace('[b]', '{b: {condition: service_started, required: false}}');
    assert.deepEqual([...loadText(optional, { profiles: ['debug'] }).project.services.keys()], ['a', 'c']);
  });

  it('do not hide a service that is not there', () => {
    assert.throws(() => active({ named: ['d'] }), { message: 'there is no service "d"', hint: 'Did you mean "a"?' });
  });
});

describe('what services need', () => {
  it('is said by depends_on, or implied', () => {
    const { project } = loadText(
      'services:\n  a: {image: x}\n  b: {image: x}\n  c: {image: x}\n  d: {image: x}\n  e: {image: x}\n' +
        '  web: {image: x, depends_on: {a: {condition: service_healthy}}, links: ["a:z", b], volumes_from: ["c:ro", "container:x"], network_mode: "service:d", pid: "service:e", ipc: "container:y"}',
    );
    assert.deepEqual(plain(project.services.get('web')!.dependencies), {
      a: { condition: 'service_healthy' },
      b: { condition: 'service_started' },
      c: { condition: 'service_started' },
      d: { condition: 'service_started' },
      e: { condition: 'service_started' },
    });
  });

  it('must not go round in a circle', () => {
    const text =
      'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, links: [c]}\n  c: {image: x, depends_on: [a]}';
    const message = 'compose.yaml:2: services.a depends on itself: a → b → c → a';
    assert.throws(() => loadText(text), { message });
    assert.throws(() => loadText(text.replaceAll('{', '{profiles: [p], '), { isForExisting: true }), { message });
  });
});

describe('networks, volumes, secrets and configurations', () => {
  it('are read', () => {
    const { project } = loadText(`
services: {web: {image: x, networks: {n: {ipv4_address: 10.1.0.5}}}}
networks:
  n:
    driver: bridge
    driver_opts: {com.docker.network.driver.mtu: 1400}
    internal: true
    attachable: "true"
    enable_ipv6: true
    labels: [a=b]
    ipam: {driver: default, config: [{subnet: 10.1.0.0/24, ip_range: 10.1.0.128/25, gateway: 10.1.0.1, aux_addresses: {r: 10.1.0.2}}]}
  e: {external: true}
  old: {external: {name: real}}
volumes: {v: {driver: local, driver_opts: {type: tmpfs, device: tmpfs}, labels: {a: b}}}
secrets: {s: {file: ./s.txt}, t: {environment: TOKEN}}
configs: {c: {content: "a\${X:-b}"}, d: {file: d.conf}, e: {environment: E}}`);
    const { directory } = project;
    assert.deepEqual(plain([project.networks, project.volumes, project.secrets, project.configs]), [
      {
        n: {
          driver: 'bridge',
          driver_opts: { 'com.docker.network.driver.mtu': '1400' },
          internal: true,
          attachable: true,
          enable_ipv6: true,
          labels: { a: 'b' },
          ipam: {
            driver: 'default',
            config: [
              {
                subnet: '10.1.0.0/24',
                ip_range: '10.1.0.128/25',
                gateway: '10.1.0.1',
                aux_addresses: { r: '10.1.0.2' },
              },
            ],
          },
          name: 'test_n',
        },
        e: { external: true, name: 'e' },
        old: { external: true, name: 'real' },
      },
      { v: { driver: 'local', driver_opts: { type: 'tmpfs', device: 'tmpfs' }, labels: { a: 'b' }, name: 'test_v' } },
      { s: { file: `${directory}/s.txt` }, t: { environment: 'TOKEN' } },
      { c: { content: 'ab' }, d: { file: `${directory}/d.conf` }, e: { environment: 'E' } },
    ]);
  });

  for (const [text, message] of [
    [
      'networks: {n: {driver: overlay}}',
      /^compose\.yaml:2: networks\.n\.driver "overlay" is not supported: networks are made by the driver bridge$/,
    ],
    ['networks: {n: {ipam: {driver: dhcp}}}', /networks\.n\.ipam\.driver must be default/],
    [
      'networks: {n: {ipam: {config: [{gateway: 10.0.0.1}]}}}',
      /networks\.n\.ipam says something of a subnet that it does not name/,
    ],
    ['networks: {n: {enable_ipv4: false}}', /networks\.n\.enable_ipv4 must be true/],
    [
      'networks: {n: {external: true, internal: true}}',
      /networks\.n is external, so "internal" cannot be said of it here/,
    ],
    ['networks: {n: {mtu: 1}}', /networks\.n\.mtu is not a Compose member/],
    ['networks: {"a b": {}}', /networks: "a b" is no name/],
    ['volumes: {v: {driver: nfs}}', /volumes\.v\.driver "nfs" is not supported/],
    ['secrets: {s: {external: true}}', /secrets\.s\.external is not supported: only a Swarm keeps them/],
    ['secrets: {s: {}}', /secrets\.s needs one of "file", "environment"/],
    ['secrets: {s: {content: x}}', /secrets\.s\.content is not a Compose member/],
    ['secrets: {s: }', /secrets\.s must not be empty/],
    ['configs: {c: {file: a, content: b}}', /configs\.c has both "file" and "content"/],
    ['models: {m: {model: x}}', /^compose\.yaml:2: models is not supported/],
    ['include: [{pth: a}]', /include\[0\]\.pth is not a Compose member/],
  ] as const) {
    it(`refuse ${text}`, () => assert.throws(() => loadText(`${ONE}\n${text}`), { message }));
  }
});
