import type { Project, ProjectService } from './project.ts';

/** The whole project as a Compose file says it, in long syntaxes: what `config` prints. Reading it again gives the same project. */
export function renderProject(project: Project): Record<string, unknown> {
  const sections = {
    name: project.name,
    services: new Map([...project.services].map(([key, service]) => [key, renderService(service)])),
    networks: project.networks,
    volumes: project.volumes,
    secrets: project.secrets,
    configs: project.configs,
  };
  const filled = Object.entries(sections).filter(([, value]) => !(value instanceof Map) || value.size > 0);
  return plain(Object.fromEntries(filled)) as Record<string, unknown>;
}

/** A service without what is made up from its other members. */
export function renderService(service: ProjectService): Record<string, unknown> {
  const {
    name: _name,
    imageName: _image,
    replicas: _replicas,
    dependencies: _needs,
    environment,
    ...members
  } = service;
  return { ...members, ...(environment.size > 0 ? { environment } : {}) };
}

/** Maps as objects, with each dollar sign doubled so that it is none of a variable. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$');
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries.filter(([, member]) => member !== undefined).map(([key, member]) => [key, plain(member)]),
  );
}
