import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { parseDockerHost } from './address.ts';
import { DockerClient, DockerError } from './client.ts';
import { outputChunks } from './output-frames.ts';
import { CredentialStore } from './registry-credentials.ts';

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'kobune-docker-'));
});
after(() => rmSync(directory, { recursive: true }));

describe('DOCKER_HOST', () => {
  it('names a socket or a host', () => {
    assert.deepEqual(parseDockerHost('unix:///run/docker.sock', {}), { socketPath: '/run/docker.sock' });
    assert.deepEqual(parseDockerHost('tcp://1.2.3.4', {}), { host: '1.2.3.4', port: 2375, tls: undefined });
    assert.deepEqual(parseDockerHost('tcp://[::1]:99', {}), { host: '::1', port: 99, tls: undefined });
    const certificates = join(directory, 'certificates');
    mkdirSync(certificates);
    writeFileSync(join(certificates, 'ca.pem'), 'CA');
    const secure = parseDockerHost('tcp://engine', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates });
    assert.deepEqual(secure, {
      host: 'engine',
      port: 2376,
      tls: { ca: Buffer.from('CA'), cert: undefined, key: undefined, verify: true },
    });
  });

  for (const text of ['ssh://x', 'npipe:////./pipe/docker', 'unix://relative', 'nonsense', 'ftp://x']) {
    it(`is refused when it is ${text}`, () => {
      assert.throws(() => parseDockerHost(text, {}), {
        message: new RegExp(`^DOCKER_HOST is "${text}": `),
        exitCode: 2,
      });
    });
  }
});

describe('the client of the Docker Engine API', () => {
  /** Serves on a socket while `use` runs; `/_ping` is answered. */
  async function serving(listener: RequestListener, use: (client: DockerClient) => Promise<void>, api = '1.48') {
    const socketPath = join(directory, `${Math.random()}.sock`);
    const server = createServer((request, response) => {
      if (request.url !== '/_ping') return listener(request, response);
      response.setHeader('api-version', api);
      response.end('OK');
    }).listen(socketPath);
    await once(server, 'listening');
    try {
      await use(new DockerClient({ socketPath }));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('speaks the newest version that both know', async () => {
    await serving(
      (request, response) => response.end(JSON.stringify(request.url)),
      async (client) =>
        assert.equal(
          await client.json('GET', '/x', { query: { a: 'b c', t: ['1', '2'], no: undefined } }),
          '/v1.43/x?a=b+c&t=1&t=2',
        ),
      '1.43',
    );
    await serving(
      (_request, response) => response.end(),
      (client) => assert.rejects(client.json('GET', '/x'), { message: /is too old: its API is not 1\.41 or newer/ }),
      '1.24',
    );
  });

  it("passes on the engine's words, and its status", async () => {
    await serving(
      (request, response) => {
        response.writeHead(request.url!.endsWith('gone') ? 404 : 409);
        response.end('{"message":"name in use"}');
      },
      async (client) => {
        await assert.rejects(client.json('POST', '/x', { body: {} }), new DockerError(409, 'name in use'));
        assert.equal(await client.find('/gone'), undefined);
        await assert.rejects(client.find('/x'), { message: 'name in use' });
      },
    );
  });

  it('sends bodies, and reads answers a line at a time', async () => {
    await serving(
      (request, response) => {
        request
          .setEncoding('utf8')
          .on('data', (text: string) => response.write(`${JSON.stringify({ text })}\n{"half":`));
        request.on('end', () => response.end('1}'));
      },
      async (client) => {
        const lines: unknown[] = [];
        for await (const line of client.lines('POST', '/x', { body: { a: 1 } })) lines.push(line);
        assert.deepEqual(lines, [{ text: '{"a":1}' }, { half: 1 }]);
      },
    );
  });

  it('hears an early refusal while it still sends', async () => {
    await serving(
      (_request, response) => {
        response.writeHead(400);
        response.end('{"message":"no Dockerfile"}');
      },
      async (client) => {
        async function* source() {
          for (let count = 0; count < 200; count += 1) yield Buffer.alloc(64 * 1024);
        }
        const stream = { source: source(), type: 'application/x-tar' };
        await assert.rejects(client.json('POST', '/build', { stream }), { message: 'no Dockerfile' });
      },
    );
  });

  it('says when nobody is there', async () => {
    const client = new DockerClient({ socketPath: join(directory, 'none.sock') });
    await assert.rejects(client.json('GET', '/x'), { message: /^no engine listens at .*none\.sock$/, exitCode: 3 });
  });
});

describe('output of containers', () => {
  const frame = (stream: number, text: string) => {
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const read = async (chunks: Buffer[], tty = false) => {
    const result: [string, string][] = [];
    for await (const { stream, bytes } of outputChunks(Readable.from(chunks), tty))
      result.push([stream, bytes.toString()]);
    return result;
  };

  it('is taken apart however it arrives', async () => {
    const whole = Buffer.concat([frame(1, 'one'), frame(2, 'two'), frame(1, '')]);
    const expected = [
      ['stdout', 'one'],
      ['stderr', 'two'],
      ['stdout', ''],
    ];
    assert.deepEqual(await read([whole]), expected);
    assert.deepEqual(await read([...whole].map((byte) => Buffer.from([byte]))), expected);
  });

  it('comes as it is from a terminal', async () => {
    assert.deepEqual(await read([Buffer.from('a\r\n')], true), [['stdout', 'a\r\n']]);
  });
});

describe('credentials of registries', () => {
  const decode = (header: string | undefined) => JSON.parse(Buffer.from(header!, 'base64url').toString());

  it('are those that docker login kept', async () => {
    const auth = Buffer.from('me:pass:word').toString('base64');
    const config = {
      auths: { 'https://index.docker.io/v1/': { auth }, 'host:5000': { identitytoken: 't' }, 'empty.example': {} },
    };
    writeFileSync(join(directory, 'config.json'), JSON.stringify(config));
    const store = new CredentialStore({ DOCKER_CONFIG: directory });
    for (const image of ['busybox', 'library/busybox', 'docker.io/library/busybox']) {
      assert.deepEqual(decode((await store.headerFor(image))['x-registry-auth']), {
        username: 'me',
        password: 'pass:word',
        serveraddress: 'https://index.docker.io/v1/',
      });
    }
    assert.deepEqual(decode((await store.headerFor('host:5000/a/b:1'))['x-registry-auth']), {
      identitytoken: 't',
      serveraddress: 'host:5000',
    });
    assert.deepEqual(decode((await store.headerFor('other.example/a'))['x-registry-auth']), {});
    const all = decode((await store.headerForAll())['x-registry-config']);
    assert.deepEqual(Object.keys(all).sort(), ['host:5000', 'https://index.docker.io/v1/']);
  });

  it('come from a helper that the configuration names', async () => {
    const helper = join(directory, 'docker-credential-test');
    writeFileSync(
      helper,
      '#!/bin/sh\nread host || true\n[ "$host" = known.example ] && echo \'{"Username":"u","Secret":"s"}\' || exit 1\n',
    );
    chmodSync(helper, 0o755);
    writeFileSync(join(directory, 'config.json'), '{"credsStore":"test"}');
    const path = process.env.PATH;
    process.env.PATH = `${directory}:${path}`;
    try {
      const store = new CredentialStore({ DOCKER_CONFIG: directory });
      assert.deepEqual(await store.credentialsOf('known.example'), {
        username: 'u',
        password: 's',
        serveraddress: 'known.example',
      });
      assert.equal(await store.credentialsOf('other.example'), undefined);
    } finally {
      process.env.PATH = path;
    }
  });

  it('may be none', async () => {
    const store = new CredentialStore({ DOCKER_CONFIG: join(directory, 'nowhere') });
    assert.deepEqual(await store.headerForAll(), {});
  });
});
