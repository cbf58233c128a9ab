import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { arnOf, LambdaFixture, rejects, zip } from './fixture.ts';

let world: LambdaFixture;
beforeEach(async () => {
  world = await LambdaFixture.start();
  await world.create('f');
});
afterEach(() => world.close());

const change = async () => {
  const ZipFile = await zip({ 'index.js': `change ${Math.floor(world.clock.now())} ${world.engine.prepared.length}` });
  await world.call('UpdateFunctionCode', { FunctionName: 'f', ZipFile });
  await world.active('f');
};

describe('Lambda PublishVersion', () => {
  it('takes a snapshot that later changes leave alone', async () => {
    const published = await world.call('PublishVersion', { FunctionName: 'f', Description: 'first' });
    assert.equal(published.Version, '1');
    assert.equal(published.FunctionArn, arnOf('f', '1'));
    assert.equal(published.Description, 'first');
    await change();
    const one = await world.call('GetFunctionConfiguration', { FunctionName: 'f:1' });
    assert.equal(one.CodeSha256, published.CodeSha256);
    assert.equal(one.State, 'Active');
    await world.call('Invoke', { FunctionName: 'f', Qualifier: '1' });
    const { spec, invocation } = world.engine.invocations[0]!;
    assert.equal(spec.arn, arnOf('f', '1'));
    assert.equal(spec.version, '1');
    assert.equal(invocation.invokedArn, arnOf('f', '1'));
  });

  it('returns the last version when nothing has changed since', async () => {
    await world.call('PublishVersion', { FunctionName: 'f' });
    const again = await world.call('PublishVersion', { FunctionName: 'f' });
    assert.equal(again.Version, '1');
    await change();
    const next = await world.call('PublishVersion', { FunctionName: 'f' });
    assert.equal(next.Version, '2');
  });

  it('never uses a number again', async () => {
    await world.call('PublishVersion', { FunctionName: 'f' });
    await world.call('DeleteFunction', { FunctionName: 'f', Qualifier: '1' });
    const next = await world.call('PublishVersion', { FunctionName: 'f' });
    assert.equal(next.Version, '2');
  });

  it('refuses when the code or the revision is not the one expected', async () => {
    await rejects(
      world.call('PublishVersion', { FunctionName: 'f', CodeSha256: 'x' }),
      'InvalidParameterValueException',
      {
        message: /^CodeSHA256 \(x\) is different from current CodeSHA256 in \$LATEST/,
      },
    );
    await rejects(world.call('PublishVersion', { FunctionName: 'f', RevisionId: 'x' }), 'PreconditionFailedException');
  });

  it('becomes active together with a function that is still being prepared', async () => {
    const ZipFile = await zip({ 'index.js': 'new' });
    const created = await world.call('CreateFunction', {
      FunctionName: 'g',
      Runtime: 'python3.12',
      Role: 'arn:aws:iam::000000000000:role/r',
      Handler: 'a.b',
      Code: { ZipFile },
      Publish: true,
    });
    assert.equal(created.Version, '1');
    await world.active('g');
    const one = await world.call('GetFunctionConfiguration', { FunctionName: 'g:1' });
    assert.equal(one.State, 'Active');
  });
});

describe('Lambda ListVersionsByFunction', () => {
  it('shows $LATEST first, then versions by number, in pages', async () => {
    for (let version = 1; version <= 11; version += 1) {
      await world.call('PublishVersion', { FunctionName: 'f' });
      await change();
    }
    type Page = { Versions: { Version: string; FunctionArn: string }[]; NextMarker?: string };
    for (const MaxItems of [1, 3, 50]) {
      const seen: string[] = [];
      let Marker: string | undefined;
      do {
        const page: Page = await world.call('ListVersionsByFunction', { FunctionName: 'f', MaxItems, Marker });
        assert.ok(page.Versions.length <= MaxItems);
        seen.push(...page.Versions.map((item) => item.Version));
        Marker = page.NextMarker;
      } while (Marker !== undefined);
      assert.deepEqual(seen, ['$LATEST', ...Array.from({ length: 11 }, (_, index) => String(index + 1))]);
    }
  });
});

describe('Lambda aliases', () => {
  beforeEach(async () => {
    await world.call('PublishVersion', { FunctionName: 'f' });
    await change();
    await world.call('PublishVersion', { FunctionName: 'f' });
  });

  it('lead an invocation to their version, also after they have moved', async () => {
    const alias = await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    assert.equal(alias.AliasArn, arnOf('f', 'live'));
    const first = await world.call('Invoke', { FunctionName: 'f:live' });
    assert.equal(first.ExecutedVersion, '1');
    assert.equal(world.engine.invocations[0]!.invocation.invokedArn, arnOf('f', 'live'));
    await world.call('UpdateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '2' });
    const second = await world.call('Invoke', { FunctionName: arnOf('f', 'live') });
    assert.equal(second.ExecutedVersion, '2');
    await world.call('DeleteAlias', { FunctionName: 'f', Name: 'live' });
    await rejects(world.call('Invoke', { FunctionName: 'f:live' }), 'ResourceNotFoundException', {
      message: `Function not found: ${arnOf('f', 'live')}`,
    });
  });

  it('share invocations between two versions by weight', async () => {
    await world.call('CreateAlias', {
      FunctionName: 'f',
      Name: 'canary',
      FunctionVersion: '1',
      RoutingConfig: { AdditionalVersionWeights: { 2: 0.25 } },
    });
    const counts = { 1: 0, 2: 0 };
    for (let index = 0; index < 400; index += 1) {
      const { ExecutedVersion } = await world.call<{ ExecutedVersion: '1' | '2' }>('Invoke', {
        FunctionName: 'f:canary',
      });
      counts[ExecutedVersion] += 1;
    }
    assert.ok(counts[2] > 70 && counts[2] < 130, `${counts[2]} of 400 went to the canary`);
  });

  it('refuse weights that make no sense', async () => {
    const create = (FunctionVersion: string, weights: object) =>
      world.call('CreateAlias', {
        FunctionName: 'f',
        Name: 'a',
        FunctionVersion,
        RoutingConfig: { AdditionalVersionWeights: weights },
      });
    await rejects(create('1', { 2: 1.5 }), 'InvalidParameterValueException');
    await rejects(create('1', { 1: 0.5 }), 'InvalidParameterValueException');
    await rejects(create('1', { 2: 0.1, 3: 0.1 }), 'InvalidParameterValueException');
    await rejects(create('$LATEST', { 2: 0.5 }), 'InvalidParameterValueException');
    await rejects(create('1', { 9: 0.5 }), 'ResourceNotFoundException');
  });

  it('are unique, have names, and name versions that exist', async () => {
    await world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' });
    await rejects(
      world.call('CreateAlias', { FunctionName: 'f', Name: 'live', FunctionVersion: '1' }),
      'ResourceConflictException',
      { message: `Alias already exists: ${arnOf('f', 'live')}` },
    );
    await rejects(
      world.call('CreateAlias', { FunctionName: 'f', Name: '12', FunctionVersion: '1' }),
      'ValidationException',
    );
    await rejects(
      world.call('CreateAlias', { FunctionName: 'f', Name: 'x', FunctionVersion: '9' }),
      'ResourceNotFoundException',
      { message: `Function not found: ${arnOf('f', '9')}` },
    );
    await rejects(world.call('GetAlias', { FunctionName: 'f', Name: 'none' }), 'ResourceNotFoundException', {
      message: `Cannot find alias arn: ${arnOf('f', 'none')}`,
    });
    await rejects(
      world.call('UpdateAlias', { FunctionName: 'f', Name: 'live', RevisionId: 'old' }),
      'PreconditionFailedException',
    );
  });
});
