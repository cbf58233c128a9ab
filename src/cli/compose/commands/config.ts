import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { print } from '../../terminal.ts';
import { fileDigests } from '../operations/up.ts';
import { serviceHash } from '../plan/config-hash.ts';
import type { Project } from '../project/project.ts';
import { renderProject } from '../project/render-project.ts';
import type { ComposeContext } from './context.ts';

export interface ConfigFlags {
  readonly format?: 'yaml' | 'json';
  readonly services?: boolean;
  readonly images?: boolean;
  readonly volumes?: boolean;
  readonly networks?: boolean;
  readonly profiles?: boolean;
  readonly hash?: string;
  readonly quiet?: boolean;
  readonly output?: string;
}

/** Prints a project as it was understood: merged, with variables replaced, in long syntaxes. */
export function config(context: ComposeContext, services: readonly string[], flags: ConfigFlags): void {
  const project = selected(context.project(services), services);
  const { terminal } = context;
  if (flags.quiet === true) return;
  const names = listed(project, flags);
  if (names !== undefined) {
    for (const name of names) print(terminal, name);
    return;
  }
  const rendered = renderProject(project);
  const isJson = flags.format === 'json' || context.flags.json === true;
  // Older readers of YAML take `yes` and `0440` for something else: quoted, they are text for all.
  const text = isJson
    ? `${JSON.stringify(rendered, null, 2)}\n`
    : stringify(rendered, { version: '1.1', lineWidth: 0 });
  if (flags.output === undefined) terminal.stdout.write(text);
  else writeFileSync(resolve(terminal.workingDirectory, flags.output), text);
}

function selected(project: Project, services: readonly string[]): Project {
  if (services.length === 0) return project;
  return { ...project, services: new Map([...project.services].filter(([name]) => services.includes(name))) };
}

function listed(project: Project, flags: ConfigFlags): string[] | undefined {
  if (flags.services === true) return [...project.services.keys()];
  if (flags.images === true) return [...new Set([...project.services.values()].map(({ imageName }) => imageName))];
  if (flags.volumes === true) return [...project.volumes.keys()];
  if (flags.networks === true) return [...project.networks.keys()];
  if (flags.profiles === true) {
    const all = [...project.services.values(), ...project.inactive.values()];
    return [...new Set(all.flatMap(({ profiles = [] }) => profiles))].sort();
  }
  if (flags.hash === undefined) return undefined;
  const wanted = flags.hash === '*' ? undefined : flags.hash.split(',');
  const files = fileDigests(project);
  return [...project.services.values()]
    .filter(({ name }) => wanted === undefined || wanted.includes(name))
    .map((service) => `${service.name} ${serviceHash(service, files(service))}`);
}
