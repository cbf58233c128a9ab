import type { Variables } from '../file/interpolation.ts';
import type { FileSource, Network, Volume } from '../model/resources.ts';
import type { Service } from '../model/service.ts';
import type { Dependency } from '../model/service-parts.ts';
import type { Places, Warning } from './layer.ts';

/** A service of a project: defaults put in, files read, everything named that it needs. */
export interface ProjectService extends Omit<Service, 'environment' | 'env_file' | 'label_file' | 'extends'> {
  readonly name: string;
  /** What the image is called: as the file says, or `PROJECT-SERVICE` when it is built and nothing is said. */
  readonly imageName: string;
  /** How many containers; from `scale` or `deploy.replicas`. */
  readonly replicas: number;
  readonly environment: ReadonlyMap<string, string>;
  /** Said or implied: `depends_on`, `links`, `volumes_from`, `network_mode: service:…` and their like. */
  readonly dependencies: ReadonlyMap<string, Dependency>;
}

export interface ProjectNetwork extends Network {
  /** As the engine knows it. */
  readonly name: string;
}

export interface ProjectVolume extends Volume {
  readonly name: string;
}

/** A Compose application, whole: what `config` prints and `up` makes. */
export interface Project {
  readonly name: string;
  /** Absolute. */
  readonly directory: string;
  /** Absolute paths of the Compose files. */
  readonly files: readonly string[];
  readonly envFiles: readonly string[];
  /** Those that are active, by their profiles. */
  readonly services: ReadonlyMap<string, ProjectService>;
  /** Those whose profiles are not active. */
  readonly inactive: ReadonlyMap<string, ProjectService>;
  readonly networks: ReadonlyMap<string, ProjectNetwork>;
  readonly volumes: ReadonlyMap<string, ProjectVolume>;
  readonly secrets: ReadonlyMap<string, FileSource>;
  readonly configs: ReadonlyMap<string, FileSource>;
  readonly variables: Variables;
  readonly places: Places;
  readonly warnings: readonly Warning[];
}
