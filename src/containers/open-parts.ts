import { availableParallelism } from 'node:os';
import { ServiceError } from '../base/errors.ts';
import { keepDescriptorsToOurselves, openKernel } from '../network/index.ts';
import { findHierarchies } from './cgroups/hierarchies.ts';
import { Budget, Slots } from './lock.ts';
import { removeFiles } from './mounts/remove-files.ts';
import type { ContainerEngineOptions } from './options.ts';
import type { EngineParts } from './parts.ts';
import { ContainerRecords } from './records.ts';
import { findProgram, findRuntime } from './runtime/oci-runtime.ts';

const STARTS_PER_PROCESSOR = 3;
const MOST_PREPARATIONS = 4;

/** Finds what containers need on this machine. Throws `NotSupported`, naming what is missing. */
export function openParts(
  options: ContainerEngineOptions,
  own: Pick<EngineParts, 'volumes' | 'emit' | 'other'>,
): EngineParts {
  const missing = (what: string) =>
    new ServiceError('NotSupported', `containers cannot run here: ${what}`, { status: 501 });
  if (process.getuid?.() !== 0) throw missing('they need root');
  const kernel = openKernel();
  if (!kernel) throw missing('this needs Linux and Node 26.1 or newer');
  keepDescriptorsToOurselves(kernel);
  const hierarchies = findHierarchies();
  const runtime = findRuntime(options.instance, hierarchies.version);
  if (typeof runtime === 'string') throw missing(runtime);
  const monitorProgram = findProgram('conmon');
  if (monitorProgram === undefined) throw missing('conmon is not installed');
  return {
    ...own,
    images: options.images,
    networks: options.networks,
    clock: options.clock,
    random: options.random,
    logger: options.logger,
    kernel,
    runtime,
    monitorProgram,
    hierarchies,
    removeFiles: (directory) => removeFiles(kernel, directory),
    directory: options.directory,
    instance: options.instance,
    starts: new Slots(STARTS_PER_PROCESSOR * availableParallelism()),
    preparations: new Budget(MOST_PREPARATIONS),
    records: new ContainerRecords(options.store),
    cloud: options.cloud ?? (async () => undefined),
  };
}
