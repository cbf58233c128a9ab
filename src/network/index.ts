export { CLONE_NEWNET, CLONE_NEWNS, type Kernel, KernelError, O_PATH, openKernel } from './kernel.ts';
