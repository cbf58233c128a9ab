import { readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Store } from './store.ts';

/** Where a store is on this machine, for who has to find out later whether it is still there. Plain data. */
export interface StorePlace {
  readonly directory: string;
  /** Number of the disk that it is on. */
  readonly device: number;
  /** Whose view of the machine's disks the path is of. */
  readonly mountNamespace: string;
}

/** Notes where a store is; `undefined` when it is in no directory. */
export function noteStorePlace({ directory }: Store): StorePlace | undefined {
  if (directory === undefined) return undefined;
  return { directory: realpathSync(directory), device: statSync(directory).dev, mountNamespace: mountNamespace() };
}

/**
 * Whether a store was deleted. False unless that is certain: its disk may not be mounted, another process may see other disks, and it may
 * have been moved, which shows in what is mounted beside it.
 */
export function isGone({ directory, device, mountNamespace: namespace }: StorePlace): boolean {
  try {
    if (namespace !== mountNamespace() || statSync(directory, { throwIfNoEntry: false })) return false;
    let above = dirname(directory);
    let found = statSync(above, { throwIfNoEntry: false });
    while (!found && above !== '/') {
      above = dirname(above);
      found = statSync(above, { throwIfNoEntry: false });
    }
    return found?.dev === device && !wasMoved(dirname(directory));
  } catch {
    // What cannot be looked at may be there.
    return false;
  }
}

/** Whether a mount was made of files below this directory and is now somewhere else, as it is after a move. */
function wasMoved(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) =>
      line.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    )
    .some((line) => line.includes(`=${directory}/`) && !line.includes(` ${directory}/`));
}

function mountNamespace(): string {
  return readlinkSync('/proc/self/ns/mnt');
}
