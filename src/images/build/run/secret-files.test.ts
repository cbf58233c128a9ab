import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createSystemRandom } from '../../../base/system-random.ts';
import { keyOf } from '../cache/cache-keys.ts';
import { SecretFiles } from './secret-files.ts';

const MINE = { mode: 0o400, uid: process.getuid!(), gid: process.getgid!() };

describe('files of secrets', () => {
  let directory: string;
  let inMemory: string;
  let files: SecretFiles;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kobune-secrets-'));
    inMemory = `/dev/shm/kobune-${keyOf(directory).slice(0, 16)}`;
    files = new SecretFiles(directory, createSystemRandom());
  });
  afterEach(async () => {
    await rm(inMemory, { recursive: true, force: true });
    await rm(directory, { recursive: true, force: true });
  });
  const write = (text: string) => files.write(Buffer.from(text), MINE);

  it('are for one reader, and go with their directory when the last is removed', async () => {
    const [first, second] = await Promise.all([write('1'), write('2')]);
    assert.equal(await readFile(first!.path, 'utf8'), '1');
    assert.equal((await stat(second!.path)).mode & 0o777, 0o400);
    assert.equal((await stat(dirname(second!.path))).mode & 0o777, 0o700);
    await first!.remove();
    assert.deepEqual(await readdir(dirname(second!.path)), [second!.path.split('/').at(-1)]);
    await second!.remove();
    await assert.rejects(stat(dirname(second!.path)), { code: 'ENOENT' });
  });

  it('do not follow a link that somebody else has put into the memory file system, nor change what it names', async () => {
    const victim = join(directory, 'victim');
    await mkdir(victim);
    await chmod(victim, 0o755);
    await symlink(victim, inMemory);
    const { path, remove } = await write('S');
    assert.equal(dirname(path), join(directory, 'secrets'));
    assert.equal((await stat(victim)).mode & 0o777, 0o755);
    assert.deepEqual(await readdir(victim), []);
    await remove();
    await files.tidy();
    assert.ok((await lstat(inMemory)).isSymbolicLink());
  });

  it('are not put into a directory that others can write', async () => {
    await mkdir(inMemory);
    await chmod(inMemory, 0o777);
    const { path, remove } = await write('S');
    assert.equal(dirname(path), join(directory, 'secrets'));
    await remove();
  });
});
