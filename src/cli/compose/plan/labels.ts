import type { Project, ProjectService } from '../project/project.ts';

/** Labels by which Compose, and tools that look after it, recognise what belongs to a project (https://docs.docker.com/reference/compose-file/services/#labels). */
export const LABELS = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneOff: 'com.docker.compose.oneoff',
  configHash: 'com.docker.compose.config-hash',
  image: 'com.docker.compose.image',
  dependsOn: 'com.docker.compose.depends_on',
  workingDirectory: 'com.docker.compose.project.working_dir',
  configFiles: 'com.docker.compose.project.config_files',
  environmentFile: 'com.docker.compose.project.environment_file',
  version: 'com.docker.compose.version',
  network: 'com.docker.compose.network',
  volume: 'com.docker.compose.volume',
} as const;

export function projectLabels(project: Pick<Project, 'name'>, version: string): Record<string, string> {
  return { [LABELS.project]: project.name, [LABELS.version]: version };
}

export interface ContainerLabels {
  readonly number: number;
  readonly oneOff: boolean;
  readonly configHash: string;
  /** ID of the image. */
  readonly image: string;
  readonly version: string;
}

export function containerLabels(
  project: Project,
  service: ProjectService,
  known: ContainerLabels,
): Record<string, string> {
  return {
    ...Object.fromEntries(service.labels ?? []),
    ...projectLabels(project, known.version),
    [LABELS.service]: service.name,
    [LABELS.number]: String(known.number),
    [LABELS.oneOff]: known.oneOff ? 'True' : 'False',
    [LABELS.configHash]: known.configHash,
    [LABELS.image]: known.image,
    [LABELS.dependsOn]: dependsOnText(service),
    [LABELS.workingDirectory]: project.directory,
    [LABELS.configFiles]: project.files.join(','),
    ...(project.envFiles.length > 0 ? { [LABELS.environmentFile]: project.envFiles.join(',') } : {}),
  };
}

/** `db:service_healthy:false,cache:service_started:true`; the last says whether the service restarts with the other. */
function dependsOnText({ dependencies }: ProjectService): string {
  return [...dependencies]
    .map(([name, { condition, restart = false }]) => `${name}:${condition}:${restart}`)
    .sort()
    .join(',');
}

/** Names of the services that the label says are needed. */
export function readDependsOn(label: string | undefined): string[] {
  return (label ?? '').split(',').flatMap((entry) => {
    const [name = ''] = entry.split(':');
    return name === '' ? [] : [name];
  });
}
