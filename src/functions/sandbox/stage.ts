import { closeSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
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

export function createStage(kernel: Kernel): Stage {
  const namespace = kernel.create(CLONE_NEWNS, () => {
    kernel.call('mount', 'none', '/', '', BigInt(MS_REC_SLAVE), '');
    kernel.call('mount', 'kobune', STAGE, 'tmpfs', BigInt(MS_NOSUID_NODEV_NOEXEC), 'mode=755,size=1m');
  });
  // By identity, not by path alone: a directory that was replaced (a reinstalled package) is shown anew.
  const shown = new Map<string, string>();
  return {
    show(source) {
      const { dev, ino } = statSync(source);
      const directory = statSync(source).isDirectory();
      const key = `${dev}:${ino}:${source}`;
      let place = shown.get(key);
      if (place === undefined) {
        place = `${STAGE}/${shown.size}`;
        const target = place;
        const tree = cloneTree(kernel, source);
        try {
          kernel.within(namespace, CLONE_NEWNS, () => {
            if (directory) mkdirSync(target, { mode: 0o755 });
            else writeFileSync(target, '');
            attachTree(kernel, tree, target);
          });
        } finally {
          closeSync(tree);
        }
        shown.set(key, place);
      }
      return place;
    },
    run: (start) => kernel.within(namespace, CLONE_NEWNS, start),
    close: () => closeSync(namespace),
  };
}
