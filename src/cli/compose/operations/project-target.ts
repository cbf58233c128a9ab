import type { ObservedContainer } from '../plan/observed.ts';
import type { Project, ProjectService } from '../project/project.ts';
import { noSuchService } from '../project/resolve-project.ts';

/** A project as commands on what is there see it: by its files, or by the labels of its containers alone. */
export interface ProjectTarget {
  readonly name: string;
  /** `undefined` when only the labels are known. */
  readonly project: Project | undefined;
  readonly containers: readonly ObservedContainer[];
  /** Services in an order in which each comes after those that it needs. */
  readonly services: readonly TargetService[];
}

export interface TargetService {
  readonly name: string;
  readonly after: readonly string[];
  readonly containers: readonly ObservedContainer[];
  /** As the files say it. */
  readonly definition: ProjectService | undefined;
}

/** The services of a project with their containers; those that the files no longer have come with their labels. */
export function projectTarget(
  name: string,
  project: Project | undefined,
  containers: readonly ObservedContainer[],
): ProjectTarget {
  const declared = new Map([...(project?.services ?? []), ...(project?.inactive ?? [])]);
  const labelled = containers.map(({ service }) => service);
  const names = [...new Set([...declared.keys(), ...labelled])];
  const services = names.map((service) => {
    const own = containers.filter((container) => container.service === service && !container.oneOff);
    const definition = declared.get(service);
    const after = definition === undefined ? own.flatMap(({ needs }) => needs) : [...definition.dependencies.keys()];
    return { name: service, after: [...new Set(after)], containers: own, definition };
  });
  return { name, project, containers, services };
}

/** The named services, or all. Throws for one that is not there. */
export function chosenTargets(target: ProjectTarget, named: readonly string[]): readonly TargetService[] {
  const known = target.services.map(({ name }) => name);
  for (const name of named) if (!known.includes(name)) throw noSuchService(name, known);
  return named.length === 0 ? target.services : target.services.filter(({ name }) => named.includes(name));
}
