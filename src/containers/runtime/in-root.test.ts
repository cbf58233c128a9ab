import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Kernel, KernelError, openKernel } from '../../network/index.ts';
import { readInRoot } from './in-root.ts';

const EAGAIN = 11;
const real = openKernel();

describe('a file of a root', { skip: real ? false : 'this needs Linux and Node 26.1' }, () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'kobune-in-root-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'root');
    symlinkSync('../../../etc/passwd', join(root, 'etc/link'));
    symlinkSync('/nowhere', join(root, 'etc/gone'));
  });
  after(() => rmSync(root, { recursive: true }));

  it('is found as a process inside would find it', () => {
    assert.equal(readInRoot(real!, root, '/etc/link', 100), 'root');
    assert.equal(readInRoot(real!, root, 'etc/passwd', 3), undefined);
    for (const path of ['/etc/gone', '/etc', '/etc/passwd/x'])
      assert.equal(readInRoot(real!, root, path, 100), undefined);
  });

  it('is asked for again when the kernel could not be sure, but not for ever', () => {
    let left = 3;
    const unsure = {
      syscall: (...call: Parameters<Kernel['syscall']>) => {
        if (left-- > 0) throw new KernelError('openat2', EAGAIN);
        return real!.syscall(...call);
      },
    } as Kernel;
    assert.equal(readInRoot(unsure, root, '/etc/link', 100), 'root');
    left = Number.POSITIVE_INFINITY;
    assert.throws(() => readInRoot(unsure, root, '/etc/link', 100), { code: 'EAGAIN' });
  });
});
