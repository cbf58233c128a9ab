export type {
  CodeLocation,
  EngineStatus,
  EnvironmentStatus,
  FunctionEngine,
  FunctionImage,
  FunctionLogs,
  FunctionSpec,
  ImageRoot,
  ImageRoots,
  Invocation,
  InvocationReport,
  InvocationResult,
  LoggingConfig,
  LogLine,
  ResponseSink,
  RoleCredentials,
  StreamPrelude,
  TemporaryCredentials,
} from './engine.ts';
export { createFunctionEngine, type FunctionEngineOptions } from './function-engine.ts';
export { runtimeNames } from './runtimes/catalogue.ts';
export { type InstalledRuntime, type InterpreterSearch, installedRuntimes } from './runtimes/installed.ts';

export {
  createSandboxProvider,
  type Sandbox,
  type SandboxCapabilities,
  type SandboxProvider,
  type SandboxProviderOptions,
} from './sandbox/index.ts';
