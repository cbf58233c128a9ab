// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose files write variables like this
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DOCKER_28, noDockerReason } from '../../docker/testing/test-docker.ts';
import { TestCompose } from './testing/test-compose.ts';

const SLEEPER = 'image: busybox, command: sleep 1000, stop_signal: SIGKILL';

describe('what containers of a Compose file find inside', { skip: noDockerReason(DOCKER_28), timeout: 120_000 }, () => {
  let compose: TestCompose;
  before(async () => {
    compose = await TestCompose.open();
  });
  after(() => compose[Symbol.asyncDispose]());

  it('secrets and configurations from files, variables and the file itself', async () => {
    const text = (content: string) => `
services:
  a:
    ${SLEEPER.split(', ').join('\n    ')}
    secrets: [file, variable, {source: file, target: owned, uid: "7", gid: "8", mode: 0400}]
    configs: [{source: inline, target: /etc/app/conf}, inline]
secrets: {file: {file: ./s.txt}, variable: {environment: TOKEN}}
configs: {inline: {content: "${content}"}}`;
    await using project = compose.project('secrets', { 'compose.yaml': text('one\\n'), 's.txt': 'from a file\n' });
    await project.ok('up', '-d');
    const look =
      'cd /run/secrets; cat file; cat variable; echo; stat -c "%u %g %a" owned; cat owned /etc/app/conf /inline; touch file 2>/dev/null || echo read-only';
    assert.equal(await run(project, 'a', look), 'from a file\ntoken\n7 8 400\nfrom a file\none\none\nread-only\n');
    const before = await project.containers();
    await project.ok('up', '-d');
    assert.deepEqual(await project.containers(), before);
    writeFileSync(join(project.files.path, 'compose.yaml'), text('two\\n'));
    await project.ok('up', '-d');
    assert.equal(await run(project, 'a', 'cat /inline'), 'two\n');
  });

  it('secrets and configurations of a service whose root is read-only', async () => {
    await using project = compose.project('readonly', {
      'compose.yaml': `
services:
  a:
    ${SLEEPER.split(', ').join('\n    ')}
    read_only: true
    secrets: [{source: file, target: owned, uid: "7"}]
    configs: [plain]
secrets: {file: {file: ./s.txt}}
configs: {plain: {file: ./s.txt}}`,
      's.txt': 'from a file\n',
    });
    await project.ok('up', '-d');
    assert.equal(await run(project, 'a', 'cat /run/secrets/owned /plain'), 'from a file\nfrom a file\n');
  });

  it('networks: names in turn, aliases, links, addresses, and no way from one to another', async () => {
    // Networks of this machine must not overlap, and others may run this test beside.
    const [second, third] = randomBytes(2);
    const net = `10.${192 + (second! % 64)}.${third}`;
    await using project = compose.project(
      'nets',
      `
services:
  web: {${SLEEPER}, networks: [front], links: ["api:linked"]}
  api: {${SLEEPER}, scale: 2, networks: {front: {aliases: [backend]}, back: }}
  db: {${SLEEPER}, networks: {back: {ipv4_address: ${net}.40}}, extra_hosts: ["known=10.9.8.7"]}
  lonely: {${SLEEPER}, network_mode: none}
  beside: {${SLEEPER}, network_mode: "service:db"}
networks: {front: , back: {internal: true, ipam: {config: [{subnet: ${net}.0/24}]}}}`,
    );
    await project.ok('up', '-d');
    const lookup = async (service: string, name: string) => {
      const { out } = await project.run('exec', '-T', service, 'nslookup', name);
      return [...out.matchAll(/^Address(?: \d+)?: (\d+(?:\.\d+){3})(?!:)/gm)].map(([, address]) => address).sort();
    };
    const api = await lookup('web', 'api');
    assert.equal(api.length, 2);
    assert.deepEqual(await lookup('web', 'backend'), api);
    assert.ok((await lookup('web', 'linked')).every((address) => api.includes(address)));
    assert.deepEqual(await lookup('web', 'db'), []);
    assert.deepEqual(await lookup('api', 'db'), [`${net}.40`]);
    assert.equal(await run(project, 'db', 'grep known /etc/hosts | cut -f1'), '10.9.8.7\n');
    assert.equal(await run(project, 'lonely', 'ls /sys/class/net'), 'lo\n');
    assert.match(await run(project, 'beside', 'hostname -i || true; ip -4 addr'), new RegExp(`${net}.40/24`));
    assert.equal((await project.run('exec', '-T', 'db', 'sh', '-c', 'ip route | grep default')).status, 1);
    await project.ok('down');
  });

  it('limits, rights, variables and mounts', async () => {
    await using project = compose.project('limits', {
      'compose.yaml': `
services:
  a:
    ${SLEEPER.split(', ').join('\n    ')}
    environment: {A: "1", B: }
    env_file: [a.env]
    user: "5:6"
    working_dir: /work
    read_only: true
    init: true
    hostname: named
    mem_limit: 32m
    pids_limit: 20
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    sysctls: {net.ipv4.ip_unprivileged_port_start: "77"}
    ulimits: {nofile: 99}
    tmpfs: ["/t:size=1m,mode=1777"]
    shm_size: 2m
    volumes: ["./w:/work:ro", {type: tmpfs, target: /t2, tmpfs: {size: 1m}}]
    labels: {mine: "yes"}
    annotations: {noted: "yes"}
    logging: {options: {max-size: 1m, max-file: "2"}}`,
      'a.env': 'C=${A}3\n',
      'w/f': 'file',
    });
    await project.ok('up', '-d');
    const look =
      'echo $A $B $C; id -u; id -g; pwd; cat f; echo; hostname; ulimit -n; grep CapEff /proc/self/status; grep NoNewPrivs /proc/self/status; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; touch /t/x /t2/x && echo written; touch /x 2>/dev/null || echo refused; ps -o comm | sed -n 2p; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2';
    assert.deepEqual((await run(project, 'a', look)).trim().split('\n'), [
      '1 3',
      '5',
      '6',
      '/work',
      'file',
      'named',
      '99',
      'CapEff:\t0000000000000000',
      'NoNewPrivs:\t1',
      '77',
      'written',
      'refused',
      'docker-init',
      '2048',
    ]);
    const details = (await project.inspect('a-1')) as unknown as {
      HostConfig: Record<string, unknown>;
      Config: { Labels: Record<string, string> };
    };
    assert.deepEqual(
      [details.HostConfig.Memory, details.HostConfig.PidsLimit, details.Config.Labels.mine],
      [32 << 20, 20, 'yes'],
    );
  });
});

/** Runs a line in a service's container. Answers what it put out. */
async function run(
  project: { ok(...words: string[]): Promise<string> },
  service: string,
  line: string,
): Promise<string> {
  return project.ok('exec', '-T', service, 'sh', '-c', line);
}
