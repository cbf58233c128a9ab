/** System calls alone, for threads that need nothing else of the network. */
export { CLONE_FS, type Kernel, KernelError, O_PATH, openKernel } from '../kernel.ts';
