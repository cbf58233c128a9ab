import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { extract } from 'tar-stream';
import { TestDirectory } from '../compose/testing/test-project.ts';
import { packContext } from './build-context.ts';

async function unpacked(archive: AsyncIterable<Uint8Array>): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  const reader = extract();
  Readable.from(archive).pipe(reader);
  for await (const entry of reader) {
    const content = await textOf(entry);
    const shown = content.length > 1000 ? `${content.length} bytes` : content;
    entries[entry.header.name] = entry.header.type === 'symlink' ? `→ ${entry.header.linkname}` : shown;
  }
  return entries;
}

describe('the files of a build', () => {
  it('are packed with links, empty directories and large files', async () => {
    using directory = new TestDirectory({
      Dockerfile: 'FROM x',
      'a/b.txt': 'b',
      'a/empty': '',
      large: '300000 bytes',
    });
    symlinkSync('b.txt', `${directory.path}/a/link`);
    const { archive, dockerfile } = await packContext({
      directory: directory.path,
      dockerfile: { path: 'Dockerfile' },
    });
    assert.equal(dockerfile, 'Dockerfile');
    assert.deepEqual(await unpacked(archive), {
      Dockerfile: 'FROM x',
      a: '',
      'a/b.txt': 'b',
      'a/empty': '',
      'a/link': '→ b.txt',
      large: '300000 bytes',
    });
  });

  it('leave out what .dockerignore says, but never the Dockerfile', async () => {
    using directory = new TestDirectory({
      'sub/D': 'FROM x',
      '.dockerignore': '*\n!src\nsrc/*.log',
      'src/a.ts': 'a',
      'src/b.log': 'b',
      'node_modules/x/y': 'z',
    });
    const { archive, dockerfile } = await packContext({ directory: directory.path, dockerfile: { path: 'sub/D' } });
    assert.equal(dockerfile, 'sub/D');
    assert.deepEqual(Object.keys(await unpacked(archive)).sort(), ['.dockerignore', 'src', 'src/a.ts', 'sub/D']);
  });

  it("follow the Dockerfile's own ignore file", async () => {
    using directory = new TestDirectory({ D: 'FROM x', 'D.dockerignore': 'b', '.dockerignore': 'a', a: '', b: '' });
    const { archive } = await packContext({ directory: directory.path, dockerfile: { path: 'D' } });
    assert.deepEqual(Object.keys(await unpacked(archive)).sort(), ['.dockerignore', 'D', 'D.dockerignore', 'a']);
  });

  it('go with a Dockerfile that is elsewhere, or in the Compose file', async () => {
    using directory = new TestDirectory({ 'app/a': '1', 'docker/D': 'FROM y' });
    const context = `${directory.path}/app`;
    for (const dockerfile of [{ path: '../docker/D' }, { path: `${directory.path}/docker/D` }, { text: 'FROM y' }]) {
      const packed = await packContext({ directory: context, dockerfile });
      assert.deepEqual(await unpacked(packed.archive), { [packed.dockerfile]: 'FROM y', a: '1' });
    }
  });

  it('must be there', async () => {
    using directory = new TestDirectory({});
    const { path } = directory;
    await assert.rejects(packContext({ directory: path, dockerfile: { path: 'Dockerfile' } }), {
      message: /^cannot read the Dockerfile .*Dockerfile: ENOENT$/,
    });
    await assert.rejects(packContext({ directory: `${path}/no`, dockerfile: { path: 'Dockerfile' } }), {
      message: /^there is no directory .*no to build from$/,
    });
  });
});
