export type {
  Container,
  ContainerSpec,
  ContainerState,
  ContainerStatus,
  Health,
  LogConfig,
  MountPoint,
  MountSpec,
  Resources,
  RestartPolicy,
  TerminalSize,
} from './container.ts';
export { createContainerEngine } from './container-engine.ts';
export type {
  AttachedStreams,
  ContainerEngine,
  ContainerEvent,
  Exec,
  ExecSpec,
  LogLine,
  LogOptions,
  OutputChunk,
  Stats,
  Volume,
  Volumes,
  WaitCondition,
} from './engine.ts';
export type { MountedRoot } from './mounts/mounted-root.ts';
export type { ContainerEngineOptions } from './options.ts';
export type { CloudAccess } from './parts.ts';
export { DEFAULT_SHM_BYTES, MASKED_PATHS, READ_ONLY_PATHS } from './runtime/standard.ts';
export { createStepRunner, type StepRunnerOptions } from './steps/step-runner.ts';
