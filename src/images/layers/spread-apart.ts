import { closeSync, constants, openSync } from 'node:fs';
import { KernelError, openKernel } from '../../network/kernel/index.ts';

const SYS_IOCTL = { x64: 16, arm64: 29 } as Readonly<Partial<Record<string, number>>>;
/** Source: `linux/fs.h`. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x00020000;

/**
 * Tells the file system that the directories made in this one have nothing to do with each other (`chattr +T`). Ext4 then makes each
 * in a part of the disk of its own. Otherwise they share one, where, without a journal, it looks at every file that was deleted
 * within the last minutes before it makes another: thousands of files take seconds soon after as many were deleted. A hint:
 * file systems that know nothing of it are left as they are.
 */
export function spreadApart(directory: string): void {
  const kernel = openKernel();
  const ioctl = SYS_IOCTL[process.arch];
  if (!kernel || ioctl === undefined) return;
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = Buffer.alloc(8);
    kernel.syscall('ioctl', ioctl, fd, FS_IOC_GETFLAGS, flags);
    const before = flags.readInt32LE();
    if (before & FS_TOPDIR_FL) return;
    flags.writeInt32LE(before | FS_TOPDIR_FL);
    kernel.syscall('ioctl', ioctl, fd, FS_IOC_SETFLAGS, flags);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  } finally {
    closeSync(fd);
  }
}
