export type {
  BuildContext,
  BuildErrorPlace,
  Builder,
  BuildOptions,
  BuildProgress,
  BuildResult,
  BuildStep,
  CacheLocation,
  CacheUsage,
} from './build/builder.ts';
export { changeConfig } from './build/change-config.ts';
export { checkOut, parseGitAddress, resolveCommit } from './build/copy/git-source.ts';
export { type BuilderOptions, createBuilder } from './build/create-builder.ts';
export { createIgnore, type Ignore, ignoreFileNames } from './build/dockerfile/index.ts';
export {
  type Finding,
  LABEL_KINDS,
  type LabelKind,
  LINT_RULES,
  type LintOptions,
  type LintResult,
  lintDockerfile,
  SEVERITIES,
  type Severity,
} from './build/lint/index.ts';
export type { Step, StepMount, StepRunner } from './build/step-runner.ts';
export { type ContentStoreOptions, createContentStore } from './content/content-store.ts';
export { type ContentStore, SizeMismatchError, type WriteContentOptions } from './content.ts';
export { createImages, type ImagesOptions } from './create-images.ts';
export { hostPlatform, normalized } from './documents/platform.ts';
export type {
  Image,
  ImageEvent,
  Images,
  Layer,
  NewImage,
  RegistryAuth,
  RegistryLocations,
  RemovedImage,
  TransferOptions,
  TransferProgress,
} from './images.ts';
export { spreadApart } from './layers/spread-apart.ts';
export {
  type Descriptor,
  type HealthcheckConfig,
  type HistoryEntry,
  type ImageConfig,
  type Index,
  type Manifest,
  MEDIA_TYPES,
  type Platform,
  type RunConfig,
} from './oci.ts';
export type { ConnectionGuard } from './registry-client/http-connection.ts';
export { RegistryAnswerError } from './registry-client/registry-errors.ts';
export {
  createRegistryReader,
  type RegistryReader,
  type RegistryReaderOptions,
  type RemoteRepository,
} from './registry-client/registry-reader.ts';
export { createRepositories, type RepositoriesOptions } from './repositories/create-repositories.ts';
export { tiedTo } from './repositories/delete-manifest.ts';
export { isDigest, isRepositoryName, isTag } from './repositories/grammar.ts';
export { MANIFEST_TYPES, MAX_MANIFEST_SIZE, readManifest } from './repositories/manifest-document.ts';
export {
  type EcrRegistryId,
  ecrHost,
  ecrRepository,
  parseEcrHost,
  parseEcrRepository,
} from './repositories/registry-host.ts';
export type {
  ManifestInfo,
  ManifestPush,
  PutManifestOptions,
  Repositories,
  RepositoryEvent,
  RepositoryPolicy,
  StoredManifest,
  Upload,
} from './repositories/repositories.ts';
export type {
  Change,
  CommitOptions,
  CreateRootOptions,
  FileTree,
  Root,
  RootStat,
  Roots,
  WriteArchiveOptions,
} from './roots.ts';
export { decompressed } from './tar/decompress.ts';
export { type TarEntry, TarError } from './tar/tar-entry.ts';
export { type TarHandler, TarReader } from './tar/tar-reader.ts';
