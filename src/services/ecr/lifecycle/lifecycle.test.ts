import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, HOST, startTestEcr, type TestEcr } from '../testing/test-ecr.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Rule {
  readonly tags?: readonly string[];
  readonly patterns?: readonly string[];
  readonly status?: string;
  readonly keep?: number;
  readonly days?: number;
  readonly pulledDays?: number;
}

/** The text of a policy, its rules in the order of their priority. */
function policy(...rules: readonly Rule[]): string {
  return JSON.stringify({
    rules: rules.map(({ tags, patterns, status, keep, days, pulledDays }, i) => ({
      rulePriority: i + 1,
      description: `rule ${i + 1}, described at a length that makes the policy long enough to be taken by ECR`,
      selection: {
        tagStatus: status ?? 'tagged',
        ...(tags ? { tagPrefixList: tags } : {}),
        ...(patterns ? { tagPatternList: patterns } : {}),
        ...(keep === undefined ? {} : { countType: 'imageCountMoreThan', countNumber: keep }),
        ...(days === undefined ? {} : { countType: 'sinceImagePushed', countUnit: 'days', countNumber: days }),
        ...(pulledDays === undefined
          ? {}
          : { countType: 'sinceImagePulled', countUnit: 'days', countNumber: pulledDays }),
      },
      action: { type: 'expire' },
    })),
  });
}

const put = (at: TestEcr, text: string) =>
  at.call('PutLifecyclePolicy', { repositoryName: 'team/app', lifecyclePolicyText: text });

/** Pushes images a minute after each other, oldest first; each list of tags is one image. */
async function pushAll(at: TestEcr, ...images: readonly (readonly string[])[]): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const [i, tags] of images.entries()) {
    at.clock.advance(60_000);
    if (tags.length === 0) digests.push(await at.push('team/app', undefined, `layer ${i}`));
    for (const [j, tag] of tags.entries()) {
      const digest = await at.push('team/app', tag, `layer ${i} ${images.length}`);
      if (j === 0) digests.push(digest);
    }
  }
  return digests;
}

async function withRepository(): Promise<TestEcr> {
  const at = await startTestEcr();
  await at.create('team/app');
  return at;
}

describe('ECR lifecycle policies', { timeout: 20_000 }, () => {
  it('acts as the policy of a whole registry says: production, untagged and development images', async () => {
    await using at = await withRepository();
    await put(at, policy({ tags: ['prod-'], keep: 10 }, { status: 'untagged', days: 1 }, { tags: ['dev-'], keep: 3 }));
    await pushAll(at, ...Array.from({ length: 12 }, (_, i) => [`prod-${i + 1}`]));
    await pushAll(at, ...Array.from({ length: 5 }, (_, i) => [`dev-${i + 1}`]), ['main']);
    await pushAll(at, [], []);
    await at.advance(2 * HOUR);
    const kept = [...Array.from({ length: 10 }, (_, i) => `prod-${i + 3}`), 'dev-3', 'dev-4', 'dev-5', 'main'].sort();
    assert.deepEqual(await at.tags('team/app'), kept);
    const untagged = async () =>
      (await at.call('ListImages', { repositoryName: 'team/app', filter: { tagStatus: 'UNTAGGED' } })).imageIds.length;
    assert.equal(await untagged(), 2);
    await at.advance(DAY - 3 * HOUR);
    assert.equal(await untagged(), 2, 'not yet a day old');
    await at.advance(HOUR);
    assert.equal(await untagged(), 0);
    assert.deepEqual(await at.tags('team/app'), kept);
  });

  it('deletes the oldest of what is too much (imageCountMoreThan)', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', keep: 2 }));
    await pushAll(at, ['a'], ['b'], ['c'], ['d']);
    await at.advance(HOUR);
    assert.deepEqual(await at.tags('team/app'), ['c', 'd']);
    await pushAll(at, ['e']);
    await at.advance(HOUR);
    assert.deepEqual(await at.tags('team/app'), ['d', 'e']);
  });

  it('takes a tag that is pushed again for a new image', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', keep: 1 }));
    await pushAll(at, ['old'], ['new']);
    at.clock.advance(60_000);
    await at.push('team/app', 'old', 'layer 0 2');
    await at.advance(HOUR);
    assert.deepEqual(await at.tags('team/app'), ['old']);
  });

  it('deletes what was pushed long ago, to the day (sinceImagePushed)', async () => {
    await using at = await withRepository();
    await put(at, policy({ tags: ['tmp'], days: 14 }));
    await at.push('team/app', 'tmp1', '1');
    await at.push('team/app', 'keep', '2');
    await at.advance(7 * DAY);
    await at.push('team/app', 'tmp2', '3');
    await at.advance(7 * DAY - 1);
    assert.deepEqual(await at.tags('team/app'), ['keep', 'tmp1', 'tmp2']);
    await at.advance(1);
    assert.deepEqual(await at.tags('team/app'), ['keep', 'tmp2']);
    await at.advance(7 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['keep']);
  });

  it('deletes what nobody has pulled for long (sinceImagePulled)', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', pulledDays: 10 }));
    await at.push('team/app', 'used', '1');
    await at.push('team/app', 'unused', '2');
    await at.advance(6 * DAY);
    await at.call('BatchGetImage', { repositoryName: 'team/app', imageIds: [{ imageTag: 'used' }] });
    await at.advance(4 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['used']);
    await at.advance(6 * DAY);
    assert.deepEqual(await at.tags('team/app'), []);
  });

  it('needs all of several prefixes or patterns, each of some tag', async () => {
    await using at = await withRepository();
    await put(at, policy({ tags: ['alpha', 'beta'], days: 1 }, { patterns: ['*test*1*2*', 'x*'], days: 1 }));
    await pushAll(at, ['alpha-1', 'beta-1'], ['alpha-2'], ['beta-2'], ['test-1-2', 'x1'], ['test-2-1', 'x2'], ['x3']);
    await at.advance(2 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['alpha-2', 'beta-2', 'test-2-1', 'x2', 'x3']);
  });

  it('judges an image by the first rule that it fits, but counts it for the others', async () => {
    await using at = await withRepository();
    const text = policy({ tags: ['prod'], keep: 1 }, { tags: ['beta'], keep: 1 });
    await put(at, text);
    // User Guide, "Filtering on multiple rules", Example A.
    await pushAll(at, ['beta-1', 'prod-1'], ['beta-2', 'prod-2'], ['beta-3']);
    await at.advance(HOUR);
    assert.deepEqual(await at.tags('team/app'), ['beta-2', 'beta-3', 'prod-2']);
    await at.create('other');
    await at.call('PutLifecyclePolicy', { repositoryName: 'other', lifecyclePolicyText: text });
    for (const [i, tags] of [['beta-1', 'prod-1'], ['beta-2'], ['beta-3']].entries()) {
      at.clock.advance(1000);
      for (const tag of tags) await at.push('other', tag, `other ${i}`);
    }
    await at.advance(HOUR);
    assert.deepEqual(await at.tags('other'), ['beta-1', 'beta-3', 'prod-1']);
  });

  it('goes by priority, not by the order in which rules are written', async () => {
    await using at = await withRepository();
    const { rules } = JSON.parse(policy({ tags: ['a'], days: 30 }, { status: 'any', days: 1 }));
    await put(at, JSON.stringify({ rules: [rules[1], rules[0]] }));
    await pushAll(at, ['a1'], ['b1']);
    await at.advance(2 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['a1']);
  });

  it('keeps what an index lists as long as the index, and takes it after that', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'untagged', days: 1 }, { tags: ['v'], days: 5 }));
    const children = [await at.push('team/app', undefined, 'amd64'), await at.push('team/app', undefined, 'arm64')];
    await at.pushIndex('team/app', 'v1', children);
    await at.advance(4 * DAY);
    const left = async () => (await at.call('ListImages', { repositoryName: 'team/app' })).imageIds.length;
    assert.equal(await left(), 3);
    await at.advance(DAY);
    await at.advance(HOUR);
    assert.equal(await left(), 0);
  });

  it('gives the parts of an image time to come before the index that lists them', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'untagged', keep: 1 }));
    const children = [await at.push('team/app', undefined, 'amd64'), await at.push('team/app', undefined, 'arm64')];
    await at.advance(HOUR / 2);
    await at.pushIndex('team/app', 'v1', children);
    await at.advance(DAY);
    assert.equal((await at.call('ListImages', { repositoryName: 'team/app' })).imageIds.length, 3);
  });

  it('lets signatures live and die with their image', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', keep: 1 }));
    const sign = (digest: string, tag: string | undefined, layer: string) =>
      at.push('team/app', tag, layer, { subject: { mediaType: 'a/b', digest, size: 1 } });
    const [first] = await pushAll(at, ['first']);
    const signature = await sign(first!, undefined, 'signature');
    await at.push('team/app', `${first!.replace(':', '-')}.sig`, 'by tag');
    at.clock.advance(1000);
    await at.push('team/app', `${first!.replace(':', '-')}.att`, 'attestation');
    await at.advance(DAY);
    const digests = async () =>
      new Set(
        (await at.call('ListImages', { repositoryName: 'team/app' })).imageIds.map(
          ({ imageDigest }: { imageDigest: string }) => imageDigest,
        ),
      );
    assert.equal((await digests()).size, 4, 'signatures are no images to be counted');
    await pushAll(at, ['second'], ['third']);
    await at.advance(DAY);
    assert.ok(!(await digests()).has(first));
    assert.ok(!(await digests()).has(signature));
    assert.equal((await digests()).size, 1);
  });

  it('leaves an image that gets a tag while the policy is carried out', async () => {
    await using at = await withRepository();
    const [first, second] = await pushAll(at, [], []);
    await put(at, policy({ status: 'untagged', days: 1 }));
    // Somebody takes up the second one before its turn has come.
    const remove = at.repositories.deleteManifest;
    at.repositories.deleteManifest = async (name, digest, options) => {
      if (digest === second) assert.equal(await at.push('team/app', 'kept', 'layer 1'), second);
      return remove(name, digest, options);
    };
    await at.advance(2 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['kept'], `${first} is gone`);
    await at.advance(2 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['kept']);
  });

  it('tells EventBridge of what it deletes, and when it has last looked', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', days: 1 }));
    const digest = await at.push('team/app', 'v1');
    at.events();
    await at.advance(DAY);
    const [event, ...more] = at.events();
    assert.deepEqual(more, []);
    assert.equal(event!.detail['image-digest'], digest);
    assert.equal(event!.detail['action-type'], 'DELETE');
    const { lastEvaluatedAt } = await at.call('GetLifecyclePolicy', { repositoryName: 'team/app' });
    assert.equal(lastEvaluatedAt.getTime(), at.clock.now());
  });

  it('does after a restart what became due meanwhile', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', days: 1 }));
    await at.push('team/app', 'v1');
    await at.ecr.close();
    at.clock.advance(2 * DAY);
    await at.restart();
    await at.advance(0);
    assert.deepEqual(await at.tags('team/app'), []);
  });

  it('ends when it is deleted, with the repository too', async () => {
    await using at = await withRepository();
    const text = policy({ status: 'any', days: 1 });
    await put(at, text);
    await at.push('team/app', 'v1');
    const deleted = await at.call('DeleteLifecyclePolicy', { repositoryName: 'team/app' });
    assert.equal(deleted.lifecyclePolicyText, text);
    await at.advance(3 * DAY);
    assert.deepEqual(await at.tags('team/app'), ['v1']);
    await assert.rejects(at.call('GetLifecyclePolicy', { repositoryName: 'team/app' }), {
      code: 'LifecyclePolicyNotFoundException',
    });
    await put(at, text);
    await at.call('DeleteRepository', { repositoryName: 'team/app', force: true });
    assert.deepEqual(await at.store.range({ prefix: ['ecr'] }), []);
  });

  it('previews what it would do, and does nothing', async () => {
    await using at = await withRepository();
    const [a, b] = await pushAll(at, ['a1'], ['b1', 'a2'], ['a3']);
    const none = at.call('GetLifecyclePolicyPreview', { repositoryName: 'team/app' });
    await assert.rejects(none, { code: 'LifecyclePolicyPreviewNotFoundException' });
    await assert.rejects(at.call('StartLifecyclePolicyPreview', { repositoryName: 'team/app' }), {
      code: 'LifecyclePolicyNotFoundException',
    });
    const text = policy({ tags: ['b'], keep: 5 }, { tags: ['a'], keep: 1 });
    const started = await at.call('StartLifecyclePolicyPreview', {
      repositoryName: 'team/app',
      lifecyclePolicyText: text,
    });
    assert.equal(started.status, 'IN_PROGRESS');
    const preview = await at.call('GetLifecyclePolicyPreview', { repositoryName: 'team/app' });
    assert.equal(preview.status, 'COMPLETE');
    assert.deepEqual(
      preview.previewResults.map(
        ({ imageDigest, imageTags, appliedRulePriority, action }: Record<string, unknown>) => ({
          imageDigest,
          imageTags,
          appliedRulePriority,
          action,
        }),
      ),
      [{ imageDigest: a, imageTags: ['a1'], appliedRulePriority: 2, action: { type: 'EXPIRE' } }],
      `${b} is judged by the first rule`,
    );
    assert.deepEqual(preview.summary, { expiringImageTotalCount: 1 });
    const tagged = { repositoryName: 'team/app', filter: { tagStatus: 'UNTAGGED' } };
    assert.deepEqual((await at.call('GetLifecyclePolicyPreview', tagged)).previewResults, []);
    for (const bad of [
      { maxResults: 101 },
      { imageIds: [] },
      { imageIds: [{ imageDigest: a }], maxResults: 1 },
      { filter: { tagStatus: 'OLD' } },
    ]) {
      const refused = at.call('GetLifecyclePolicyPreview', { repositoryName: 'team/app', ...bad });
      await assert.rejects(refused, { code: 'InvalidParameterException' }, JSON.stringify(bad));
    }
    await at.advance(DAY);
    assert.equal((await at.call('GetLifecyclePolicyPreview', { repositoryName: 'team/app' })).status, 'EXPIRED');
    assert.deepEqual(await at.tags('team/app'), ['a1', 'a2', 'a3', 'b1']);
  });

  it('is previewed in pages, oldest first', async () => {
    await using at = await withRepository();
    const digests = await pushAll(at, ['a1'], ['a2'], ['a3'], ['a4']);
    const name = { repositoryName: 'team/app' };
    await at.call('StartLifecyclePolicyPreview', {
      ...name,
      lifecyclePolicyText: policy({ status: 'any', keep: 1 }),
    });
    const get = async (more: object) => {
      const { previewResults, nextToken } = await at.call('GetLifecyclePolicyPreview', { ...name, ...more });
      return [previewResults.map(({ imageDigest }: { imageDigest: string }) => imageDigest), nextToken];
    };
    const [first, nextToken] = await get({ maxResults: 2 });
    assert.deepEqual(first, digests.slice(0, 2));
    assert.deepEqual(await get({ maxResults: 2, nextToken }), [[digests[2]], undefined]);
    assert.deepEqual(await get({ imageIds: [{ imageTag: 'a2' }, { imageTag: 'a4' }] }), [[digests[1]], undefined]);
  });

  it('is refused when it does not say what it means', async () => {
    await using at = await withRepository();
    const good = JSON.parse(policy({ tags: ['a'], keep: 1 }));
    const change = (edit: (rule: { selection: Record<string, unknown> } & Record<string, unknown>) => void) => {
      const copy = structuredClone(good);
      edit(copy.rules[0]);
      return JSON.stringify(copy);
    };
    const cases: readonly (readonly [string, RegExp])[] = [
      ['{}', /between 100 and/],
      [`${' '.repeat(100)}{`, /not JSON/],
      [JSON.stringify({ ...good, other: 1 }), /unknown member "other"/],
      [JSON.stringify({ rules: [], padding: 'x'.repeat(100) }), /unknown member/],
      [`${JSON.stringify({ rules: [] })}${' '.repeat(100)}`, /at least one rule/],
      [change((rule) => delete rule.rulePriority), /rulePriority/],
      [change((rule) => (rule.rulePriority = 0)), /rulePriority/],
      [change((rule) => (rule.priority = 1)), /unknown member "priority"/],
      [change((rule) => (rule.action = { type: 'delete' })), /"expire"/],
      [change((rule) => (rule.selection.tagStatus = 'all')), /tagStatus/],
      [change((rule) => (rule.selection.countType = 'sinceImageBuilt')), /countType/],
      [change((rule) => (rule.selection.countNumber = 0)), /countNumber/],
      [change((rule) => (rule.selection.countUnit = 'days')), /countUnit/],
      [change((rule) => (rule.selection.countType = 'sinceImagePushed')), /countUnit/],
      [change((rule) => (rule.selection.tagPrefixList = [])), /needs a tagPrefixList/],
      [change((rule) => (rule.selection.tagPrefixList = [1])), /list of texts/],
      [change((rule) => (rule.selection.tagPatternList = ['x'])), /both/],
      [change((rule) => (rule.selection.tagStatus = 'untagged')), /has tags although/],
      [policy({ patterns: ['*test*1*2*3*'], keep: 1 }), /more than 4 wildcards/],
      [policy({ tags: ['a'], keep: 1 }, { tags: ['b', 'a'], keep: 2 }), /two rules select the tags "a\*"/],
      [policy({ status: 'untagged', keep: 1 }, { status: 'untagged', days: 2 }), /only one rule may select untagged/],
      [policy({ status: 'any', keep: 1 }, { tags: ['a'], keep: 2 }), /highest rulePriority/],
      [JSON.stringify({ rules: [good.rules[0], good.rules[0]] }), /rulePriority 1/],
    ];
    for (const [text, message] of cases) {
      await assert.rejects(put(at, text), (error: Error & { code: string }) => {
        assert.equal(error.code, 'InvalidParameterException', text);
        assert.match(error.message, message);
        return true;
      });
    }
    for (const edit of [
      (rule: Record<string, unknown>) => (rule.action = { type: 'transition', targetStorageClass: 'archive' }),
      (rule: Record<string, unknown>) => ((rule.selection as Record<string, unknown>).storageClass = 'archive'),
    ]) {
      await assert.rejects(put(at, change(edit)), { code: 'NotImplemented', status: 501 });
    }
    await assert.rejects(at.call('GetLifecyclePolicy', { repositoryName: 'team/app' }), {
      code: 'LifecyclePolicyNotFoundException',
    });
  });
});

describe('ECR lifecycle policies and the content of images', { timeout: 20_000 }, () => {
  it('free the layers of what they delete', async () => {
    await using at = await withRepository();
    await put(at, policy({ status: 'any', days: 1 }));
    await at.push('team/app', 'v1', 'large layer');
    await at.advance(2 * DAY);
    await at.repositories.collect();
    const gone = at.repositories.statBlob(`${HOST}/team/app`, digestOf('large layer'));
    await assert.rejects(gone, { code: 'BLOB_UNKNOWN' });
  });
});
