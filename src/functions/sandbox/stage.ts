import { closeSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { CLONE_NEWNS, type Kernel } from '../../network/index.ts';
import { attachTree, cloneTree } from './mounts.ts';

/**
 * A mount namespace that only bwrap is started in. There, what sandboxes show lies below a directory that their
 * users can reach, whatever the modes of its parents on the host (`/root` is closed on most machines). It lives as
 * long as its descriptor: the host's mount table never has any of it, also not after a crash.
 */
export interface Stage {
  /** The path, in the stage, of a host file or directory. */
  show(source: string): string;
  /** Runs `start` there. */
  run<T>(start: () => T): T;
  close(): void;
}

const STAGE = '/run';
const MS_REC_SLAVE = 0x4000 | 0x80000;
const MS_NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
const MNT_DETACH = 2;
/** A sandbox's start copies all mounts of the stage, so that the number of what is shown has a bound. */
const MOST_SHOWN = 64;
/** What was asked for lately may be on its way into a sandbox. */
const IN_USE_MS = 10_000;

interface Shown {
  readonly place: string;
  usedAt: number;
}

/** Makes it. What lies in `base` is shown through `base`, which is always there. */
export function createStage(kernel: Kernel, base: string): Stage {
  const namespace = kernel.create(CLONE_NEWNS, () => {
    kernel.call('mount', 'none', '/', '', BigInt(MS_REC_SLAVE), '');
    kernel.call('mount', 'kobune', STAGE, 'tmpfs', BigInt(MS_NOSUID_NODEV_NOEXEC), 'mode=755,size=1m');
  });
  // By identity, not by path alone: a directory that was replaced (a reinstalled package) is shown anew.
  const shown = new Map<string, Shown>();
  let count = 0;
  const attach = (source: string, directory: boolean): string => {
    const place = `${STAGE}/${count++}`;
    const tree = cloneTree(kernel, source);
    try {
      kernel.within(namespace, CLONE_NEWNS, () => {
        if (directory) mkdirSync(place, { mode: 0o755 });
        else writeFileSync(place, '');
        attachTree(kernel, tree, place);
      });
    } finally {
      closeSync(tree);
    }
    return place;
  };
  const forgetOldest = (): void => {
    for (const [key, { place, usedAt }] of shown) {
      if (shown.size < MOST_SHOWN || performance.now() - usedAt < IN_USE_MS) return;
      shown.delete(key);
      kernel.within(namespace, CLONE_NEWNS, () => {
        kernel.call('umount2', place, MNT_DETACH);
        rmSync(place, { recursive: true });
      });
    }
  };
  const basePlace = attach(base, true);
  return {
    show(source) {
      if (source.startsWith(`${base}/`)) return basePlace + source.slice(base.length);
      const found = statSync(source);
      const key = `${found.dev}:${found.ino}:${source}`;
      const known = shown.get(key);
      if (!known) forgetOldest();
      const place = known?.place ?? attach(source, found.isDirectory());
      // The last used comes last.
      shown.delete(key);
      shown.set(key, { place, usedAt: performance.now() });
      return place;
    },
    run: (start) => kernel.within(namespace, CLONE_NEWNS, start),
    close: () => closeSync(namespace),
  };
}
