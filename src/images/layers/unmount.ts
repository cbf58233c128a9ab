import type { Confinement } from './confinement.ts';

export interface UnmountTask {
  readonly kind: 'unmount';
  readonly path: string;
}

const MNT_DETACH = 2;

/** Unmounts what is at a path. In a thread of its own because the kernel may first write everything that is dirty to the disk. */
export function unmount({ kernel }: Confinement, { path }: UnmountTask): undefined {
  try {
    kernel.call('umount2', path, MNT_DETACH);
  } catch (error) {
    const { code } = error as { code?: string };
    // Nothing is mounted there, or there is no such place.
    if (code !== 'EINVAL' && code !== 'ENOENT') throw error;
  }
  return undefined;
}
