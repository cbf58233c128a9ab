import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestSelections, select } from './copy-sources.ts';
import { SourceTree } from './source-tree.ts';

describe('the digest of what is copied', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'kobune-digest-'));
    await writeFile(join(root, 'program'), 'P');
  });
  after(() => rm(root, { recursive: true }));

  const digestWith = async (attributes: Readonly<Record<string, string>>) => {
    const calls = {
      listXattrs: (path: string) => (path.endsWith('program') ? Object.keys(attributes) : []),
      getXattr: (_: string, name: string) => Buffer.from(attributes[name]!),
    };
    const tree = new SourceTree({ root, label: 'a stage', owner: 'own', calls });
    return (await digestSelections(await select(tree, '/', { parents: false, exclude: undefined }))).digest;
  };

  it('counts the extended attributes that are copied, such as capabilities, and no others', async () => {
    const none = await digestWith({});
    const capability = await digestWith({ 'security.capability': 'net' });
    assert.notEqual(capability, none);
    assert.notEqual(await digestWith({ 'security.capability': 'raw' }), capability);
    assert.equal(await digestWith({ 'trusted.overlay.origin': 'x', 'security.selinux': 'y' }), none);
    assert.equal(
      await digestWith({ 'user.b': '2', 'user.a': '1' }),
      await digestWith({ 'user.a': '1', 'user.b': '2' }),
    );
    assert.notEqual(await digestWith({ 'user.a': '12' }), await digestWith({ 'user.a1': '2' }));
  });
});
