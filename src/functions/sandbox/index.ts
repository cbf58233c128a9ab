export { createSandboxProvider, type SandboxProviderOptions } from './provider.ts';
export type {
  Bind,
  Sandbox,
  SandboxCapabilities,
  SandboxExit,
  SandboxLimits,
  SandboxOptions,
  SandboxProvider,
  StartPrograms,
} from './sandbox.ts';
