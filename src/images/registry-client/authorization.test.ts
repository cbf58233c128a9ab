import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createManualClock, type ManualClock } from '../../base/system-clock.ts';
import { makeArchive, noRootsReason, openTestImages, refusedWith } from '../test-support.ts';
import { parseChallenges } from './challenge.ts';
import { refuse, type SeenRequest, TestRegistry } from './test-registry.ts';

describe('authentication challenges', () => {
  for (const [header, expected] of [
    ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
    [
      'Bearer realm="https://a/t?x=1,2",service="s", scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          parameters: { realm: 'https://a/t?x=1,2', service: 's', scope: 'repository:a/b:pull,push' },
        },
      ],
    ],
    [
      'Basic realm="a \\"b\\"", Bearer realm=r',
      [
        { scheme: 'basic', parameters: { realm: 'a "b"' } },
        { scheme: 'bearer', parameters: { realm: 'r' } },
      ],
    ],
    [
      'Negotiate, Basic realm = "x"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
      ],
    ],
    ['', []],
    ['"', []],
    ['Bearer realm="unfinished', [{ scheme: 'bearer', parameters: {} }]],
  ] as const) {
    it(`are read: ${header}`, () => assert.deepEqual(parseChallenges(header), expected));
  }
});

/** A registry whose repositories want tokens that it hands out itself. */
async function tokenRegistry(
  clock: ManualClock,
  handOut: (request: SeenRequest, url: URL) => unknown,
): Promise<TestRegistry> {
  const registry = await TestRegistry.start();
  registry.addImage('team/app:1', [makeArchive([{ path: 'a' }])]);
  const valid = new Map<string, number>();
  let count = 0;
  registry.intercept = async (request, response) => {
    const url = new URL(request.path, 'http://registry');
    if (url.pathname === '/token') {
      const answer = await handOut(request, url);
      if (answer === undefined) {
        refuse(response, 401, 'UNAUTHORIZED');
        return true;
      }
      const token = `token-${++count}`;
      valid.set(`Bearer ${token}`, clock.now() + 300_000);
      response.end(JSON.stringify({ token, expires_in: 300, ...(answer as object) }));
      return true;
    }
    const until = valid.get(request.headers.authorization ?? '');
    if (until !== undefined && until > clock.now()) return false;
    const challenge = `Bearer realm="http://${registry.host}/token",service="registry"`;
    refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
    return true;
  };
  return registry;
}

describe('authorization at registries', { skip: noRootsReason }, () => {
  it('gets a token for the repository, by the name of the user, and uses it as long as it lives', async () => {
    const clock = createManualClock();
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    await using registry = await tokenRegistry(clock, ({ headers }) =>
      headers.authorization === basic ? {} : undefined,
    );
    await using at = await openTestImages(undefined, clock);
    const auth = { username: 'me', password: 'secret' };
    const name = `${registry.host}/team/app:1`;
    await at.images.pull(name, { auth });
    assert.deepEqual(registry.made(/token/), [
      'GET /token?service=registry&scope=repository%3Ateam%2Fapp%3Apull&account=me',
    ]);
    await at.images.pull(name, { auth });
    assert.equal(registry.made(/token/).length, 1);
    clock.advance(295_000);
    await at.images.pull(name, { auth });
    assert.equal(registry.made(/token/).length, 2, 'it is renewed before it expires');
    await assert.rejects(
      at.images.pull(name, { auth: { username: 'me', password: 'wrong' } }),
      refusedWith('Unauthorized', /unauthorized/),
    );
    await assert.rejects(at.images.pull(name), refusedWith('Unauthorized', /unauthorized/));
  });

  it('renews a token that the registry does not take any more', async () => {
    const clock = createManualClock();
    await using registry = await tokenRegistry(clock, () => ({ expires_in: 100_000 }));
    await using at = await openTestImages(undefined, clock);
    await at.images.pull(`${registry.host}/team/app:1`);
    clock.advance(400_000);
    await at.images.pull(`${registry.host}/team/app:1`);
    assert.equal(registry.made(/token/).length, 2);
  });

  it('exchanges an identity token, and takes access_token for token', async () => {
    const clock = createManualClock();
    const forms: Record<string, string>[] = [];
    await using registry = await tokenRegistry(clock, async ({ body }) => {
      forms.push(Object.fromEntries(new URLSearchParams((await body).toString())));
      return {};
    });
    await using at = await openTestImages(undefined, clock);
    await at.images.pull(`${registry.host}/team/app:1`, { auth: { identityToken: 'refresh-me' } });
    assert.deepEqual(forms, [
      {
        grant_type: 'refresh_token',
        refresh_token: 'refresh-me',
        client_id: 'kobune',
        scope: 'repository:team/app:pull',
        service: 'registry',
      },
    ]);
    assert.deepEqual(registry.made(/token/), ['POST /token']);
  });

  it('shows a token that the user has', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage('app:1', [makeArchive([{ path: 'a' }])]);
    registry.intercept = ({ headers }, response) => {
      if (headers.authorization === 'Bearer mine') return false;
      refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Bearer realm="http://localhost:1/token"' });
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`, { auth: { registryToken: 'mine' } });
  });

  it('sends basic credentials where those are wanted', async () => {
    await using registry = await TestRegistry.start();
    await using at = await openTestImages();
    registry.addImage('app:1', [makeArchive([{ path: 'a' }])]);
    registry.intercept = ({ headers }, response) => {
      if (headers.authorization === `Basic ${Buffer.from('AWS:pass').toString('base64')}`) return false;
      refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' });
      return true;
    };
    const name = `${registry.host}/app:1`;
    await at.images.pull(name, { auth: { username: 'AWS', password: 'pass' } });
    await assert.rejects(at.images.pull(name), refusedWith('Unauthorized', /^no basic auth credentials$/));
    await assert.rejects(
      at.images.pull(name, { auth: { username: 'AWS', password: 'no' } }),
      refusedWith('Unauthorized', /^unauthorized: unauthorized$/),
    );
  });

  it('does not show authorization to where content is redirected', async () => {
    await using registry = await TestRegistry.start();
    await using storage = await TestRegistry.start();
    await using at = await openTestImages();
    const { layers } = registry.addImage('app:1', [makeArchive([{ path: 'a' }])]);
    storage.blobs.set(layers[0]!, registry.blobs.get(layers[0]!)!);
    registry.intercept = ({ path, headers }, response) => {
      if (headers.authorization === undefined) {
        refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' });
        return true;
      }
      if (!path.endsWith(layers[0]!)) return false;
      response.writeHead(307, { location: `http://${storage.host}/v2/x/blobs/${layers[0]}` });
      response.end();
      return true;
    };
    await at.images.pull(`${registry.host}/app:1`, { auth: { username: 'me', password: 'secret' } });
    assert.equal(storage.requests.length, 1);
    assert.equal(storage.requests[0]!.headers.authorization, undefined);
  });

  for (const [what, challenge, problem] of [
    ['a kind of authorization that is not known', 'Negotiate', /authorization that is not supported: Negotiate/],
    ['a token server that is none', 'Bearer realm="file:///etc/passwd"', /names no token server/],
    [
      'credentials to be sent unencrypted elsewhere',
      'Bearer realm="http://tokens.example/"',
      /sent unencrypted to tokens\.example, which is refused/,
    ],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await using registry = await TestRegistry.start();
      await using at = await openTestImages();
      registry.intercept = (_, response) => {
        refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
        return true;
      };
      const auth = { username: 'me', password: 'secret' };
      await assert.rejects(at.images.pull(`${registry.host}/app:1`, { auth }), refusedWith('Unauthorized', problem));
    });
  }

  it('refuses what token servers answer wrongly', async () => {
    const clock = createManualClock();
    for (const answer of [{ token: '' }, { token: 'a\r\nb: c' }, { token: 7 }]) {
      await using registry = await tokenRegistry(clock, () => answer);
      await using at = await openTestImages(undefined, clock);
      await assert.rejects(
        at.images.pull(`${registry.host}/team/app:1`),
        refusedWith('RegistryError', /did not include a token/),
      );
    }
  });
});
