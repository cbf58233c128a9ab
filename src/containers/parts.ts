import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Images } from '../images/index.ts';
import type { ContainerNetworks, Kernel } from '../network/index.ts';
import type { Hierarchies } from './cgroups/hierarchies.ts';
import type { MountPoint } from './container.ts';
import type { Budget, Slots } from './lock.ts';
import type { ContainerRecords } from './records.ts';
import type { OciRuntime } from './runtime/oci-runtime.ts';
import type { ProcessIdentity } from './runtime/processes.ts';
import type { VolumeStore } from './volumes/volume-store.ts';

/** How a container reaches this cloud. */
export interface CloudAccess {
  /** `AWS_ENDPOINT_URL`, as seen from a container's network. */
  readonly endpointUrl: string;
  /** Directory on this machine with `authority.pem` and `bundle.pem`, seen inside as `/etc/kobune`. */
  readonly certificates: string | undefined;
}

/** What containers are made with: found when the engine starts, the same for all of them. */
export interface EngineParts {
  readonly images: Images;
  readonly networks: ContainerNetworks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly kernel: Kernel;
  readonly runtime: OciRuntime;
  readonly monitorProgram: string;
  readonly hierarchies: Hierarchies;
  readonly directory: string;
  readonly instance: string;
  readonly records: ContainerRecords;
  /** Processes that are being made: more at a time would only be in each other's way. */
  readonly starts: Slots;
  /** Processes that wait for the start of their container. */
  readonly preparations: Budget;
  readonly volumes: VolumeStore;
  readonly cloud: () => Promise<CloudAccess | undefined>;
  /** Tells the engine's listeners. */
  readonly emit: (action: string, container: EventSubject, attributes?: Readonly<Record<string, string>>) => void;
  /** Deletes files, however many, and nothing that is only mounted among them. */
  readonly removeFiles: (directory: string) => Promise<void>;
  /** What one container needs to know of another. Throws `ContainerNotFound`. */
  readonly other: (nameOrId: string) => OtherContainer;
}

export interface EventSubject {
  readonly id: string;
  readonly name: string;
  readonly spec: { readonly image: { readonly reference: string }; readonly labels: Readonly<Record<string, string>> };
}

export interface OtherContainer {
  readonly id: string;
  readonly name: string;
  readonly mounts: readonly MountPoint[];
  /** `undefined` when it does not run. */
  readonly process: ProcessIdentity | undefined;
  readonly hostFiles: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  /** Its `/dev/shm` on this machine; `undefined` when it does not share its IPC namespace. */
  readonly shm: string | undefined;
}

/** Path of a container's control groups. */
export const groupPath = (instance: string, id: string) => `/kobune-${instance}/${id}`;
