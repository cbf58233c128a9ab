// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose files write variables like this
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { plain, TestDirectory } from '../testing/test-project.ts';
import type { Project } from './project.ts';
import { renderProject } from './render-project.ts';

const DOCKER_COMPOSE = '/usr/bin/docker-compose';
const withoutDockerCompose = existsSync(DOCKER_COMPOSE)
  ? false
  : `${DOCKER_COMPOSE} is not installed (apt-get install docker-compose)`;

/** Every member that both Compose 1.29 and we know, in the syntaxes that both know. */
const KNOWN_TO_BOTH = `
version: "3.9"
x-common: &common
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 1m, max-file: "3"}}
services:
  web:
    <<: *common
    image: "nginx:\${TAG:-alpine}"
    command: sh -c 'echo "a b" $$HOME' -x\\ y
    entrypoint: ["/entry", "point"]
    ports: ["80:80", "127.0.0.1:8443:443/tcp", "53:53/udp", "3000-3001:4000-4001", {target: 81, published: 8081, protocol: tcp, mode: host}]
    expose: ["9000"]
    environment: ["A=1", "B=x=y", "FROM_SHELL", "EMPTY=", "PRICE=5$$"]
    env_file: [a.env, b.env]
    labels: {l: 1, m: "two"}
    depends_on:
      db: {condition: service_healthy}
      job: {condition: service_completed_successfully}
    networks:
      front: {aliases: [www], ipv4_address: 172.30.0.10}
      back:
    volumes: ["./src:/src:ro", "data:/data", "/anon", {type: tmpfs, target: /scratch, tmpfs: {size: 1000000}}, {type: bind, source: /opt, target: /opt}]
    tmpfs: [/run]
    secrets: [{source: token, target: other, uid: "1", gid: "2", mode: 0440}]
    configs: [{source: conf, target: /etc/conf}]
    healthcheck: {test: curl -f http://localhost, interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s}
    ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}}
    extra_hosts: ["somehost:162.242.195.82"]
    dns: 8.8.8.8
    dns_search: [example.com]
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true"]
    sysctls: {net.core.somaxconn: "1024"}
    devices: ["/dev/null:/dev/x:rwm"]
    user: "1000:1000"
    working_dir: /srv
    hostname: web
    domainname: example.com
    init: true
    tty: true
    stdin_open: true
    privileged: false
    read_only: true
    stop_signal: SIGUSR1
    stop_grace_period: 1m30s
    shm_size: 64M
    mem_limit: 512m
    memswap_limit: 1g
    cpus: 0.5
    cpu_shares: 73
    pids_limit: 100
    oom_score_adj: 100
    group_add: [mail]
    ipc: shareable
    pid: host
    platform: linux/amd64
    profiles: []
  db:
    build: {context: ./db, dockerfile: Other, args: {V: "1"}, target: t, labels: {x: "y"}, cache_from: ["a"], network: host, shm_size: 1000000, extra_hosts: ["h:1.1.1.1"]}
    image: mine/db
    extends: {file: common.yml, service: base}
    scale: 2
    links: ["job:j"]
    networks: [back]
    healthcheck: {test: ["CMD", "true"]}
  job:
    image: busybox
    restart: "no"
    network_mode: none
    healthcheck: {disable: true}
    deploy: {resources: {limits: {cpus: "0.25", memory: 20M}}}
networks:
  front: {driver: bridge, ipam: {config: [{subnet: 172.30.0.0/24, gateway: 172.30.0.1}]}}
  back: {internal: true, driver_opts: {com.docker.network.driver.mtu: "1400"}, labels: {a: b}}
volumes: {data: {labels: {k: v}}}
secrets: {token: {file: ./token.txt}}
configs: {conf: {file: ./conf.txt}}
`;

const FILES = {
  'compose.yaml': KNOWN_TO_BOTH,
  'docker-compose.override.yml':
    'version: "3.9"\nservices:\n  web:\n    command: ["over"]\n    ports: ["82:82"]\n    environment: {A: "2", C: "3"}\n    volumes: ["other:/data"]\n    labels: ["m=three"]\nvolumes: {other: }\n',
  'common.yml': 'version: "3.9"\nservices: {base: {image: base, working_dir: /w, environment: {X: "1"}}}',
  'a.env': 'E=1\nF=2\n',
  'b.env': 'F=3\n',
  '.env': 'TAG=1.27\n',
  'token.txt': 't',
  'db/Other': 'FROM scratch',
  'conf.txt': 'c',
};

/** What the two may write differently without meaning it. */
function comparable(project: Project): unknown {
  const services = [...project.services.values()].map((service) => {
    const { dependencies: _, profiles: __, ports = [], links, ...rest } = service;
    return {
      ...rest,
      links,
      // Compose 1.29 writes neither the mode of a published port nor that a bind's source is made.
      ports: ports.map(({ mode: _mode, ...port }) => JSON.stringify(port, Object.keys(port).sort())).sort(),
      volumes: (service.volumes ?? [])
        .map(({ bind: _bind, ...mount }) => mount)
        .sort((one, other) => (one.target < other.target ? -1 : 1)),
      needs: [...(service.depends_on ?? [])].sort(),
    };
  });
  const { networks, volumes, secrets, configs } = project;
  return plain({ services: sorted(services), networks, volumes, secrets, configs });
}

function sorted<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...items].sort((one, other) => (one.name < other.name ? -1 : 1));
}

describe('kobune compose config', () => {
  it('prints a file that means the same project', () => {
    using directory = new TestDirectory(FILES);
    const environment = { FROM_SHELL: 'shell' };
    const project = directory.load({ environment });
    const text = stringify(renderProject(project), { version: '1.1', lineWidth: 0 });
    using again = new TestDirectory({ 'compose.yaml': text });
    const reread = again.load({ projectName: undefined });
    assert.deepEqual(
      plain({ ...reread, files: 0, places: 0, warnings: 0, envFiles: 0, directory: 0 }),
      plain({ ...project, files: 0, places: 0, warnings: 0, envFiles: 0, directory: 0 }),
    );
    assert.match(text, /over/);
    assert.match(text, /PRICE: 5\$\$/);
  });

  it('agrees with what Compose 1.29 makes of the members that both know', { skip: withoutDockerCompose }, () => {
    using directory = new TestDirectory(FILES);
    const environment = { FROM_SHELL: 'shell' };
    const ours = directory.load({ environment });
    const files = ['compose.yaml', 'docker-compose.override.yml'].flatMap((file) => ['-f', file]);
    const theirs = execFileSync(DOCKER_COMPOSE, [...files, '-p', 'test', 'config'], {
      cwd: directory.path,
      env: { PATH: process.env.PATH, HOME: directory.path, ...environment },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    using again = new TestDirectory({ 'compose.yaml': theirs });
    assert.deepEqual(comparable(again.load()), comparable(ours));
  });
});
