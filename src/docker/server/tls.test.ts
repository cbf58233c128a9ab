import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSystemRandom } from '../../base/system-random.ts';
import { LocalAuthority } from '../../gateway/index.ts';
import { systemRoutes } from '../system/routes.ts';
import { roomlessHost } from '../testing/test-server.ts';
import { Dispatcher } from './dispatcher.ts';
import { listenOnTls, type OpenListener } from './listener.ts';

interface Identity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

describe('the Docker API on TCP', () => {
  let directory: string;
  let listener: OpenListener & { readonly port: number };
  let client: Identity;
  let stranger: Identity;
  let server: { readonly key: string; readonly cert: string };
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-tls-'));
    const make = async (name: string) => {
      const authority = new LocalAuthority({ directory: join(directory, name), random: createSystemRandom() });
      const files = await authority.clientFiles();
      const read = (file: string) => readFile(join(files.directory, file), 'utf8');
      const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')]);
      return { authority, client: { ca, cert, key } };
    };
    const [own, other] = [await make('own'), await make('other')];
    client = own.client;
    stranger = { ...other.client, ca: client.ca };
    server = await own.authority.identity();
    const dispatcher = new Dispatcher(roomlessHost(directory), systemRoutes);
    listener = await listenOnTls(dispatcher, { host: '127.0.0.1', port: 0, ca: client.ca, ...server });
  });
  after(async () => {
    await listener.close(0);
    await rm(directory, { recursive: true, force: true });
  });

  function ping(identity: Partial<Identity>): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: listener.port, path: '/_ping', agent: false, ...identity },
        (answer) => {
          answer.resume();
          answer.on('end', () => resolve(answer.statusCode));
        },
      );
      sent.on('error', reject);
      sent.end();
    });
  }

  it('is for clients that show a certificate of its authority', async () => {
    assert.equal(await ping(client), 200);
  });

  it('has nothing to say to a client without one', async () => {
    await assert.rejects(ping({ ca: client.ca }), /certificate required|ECONNRESET|alert|hang up/i);
  });

  it('does not take certificates of others, nor those of servers', async () => {
    await assert.rejects(ping(stranger), /unknown ca|ECONNRESET|alert|hang up/i);
    await assert.rejects(ping({ ca: client.ca, ...server }), /unsupported certificate|ECONNRESET|alert|hang up/i);
  });

  it('is the authority’s: a client that trusts another one does not speak to it', async () => {
    const other = await readFile(join(directory, 'other', 'ca.pem'), 'utf8');
    await assert.rejects(ping({ ...client, ca: other }), /unable to verify|self.signed|certificate/i);
  });
});
