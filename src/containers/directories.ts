import { join } from 'node:path';
import { runFiles } from './runtime/conmon.ts';

/** Where a container's files are, in the directory of all containers' files. */
export function containerFiles(directory: string, id: string) {
  const own = join(directory, 'containers', id);
  return {
    directory: own,
    log: join(own, `${id}-json.log`),
    hostname: join(own, 'hostname'),
    hosts: join(own, 'hosts'),
    resolvConf: join(own, 'resolv.conf'),
    shm: join(own, 'shm'),
    run: runFiles(join(own, 'run')),
  };
}

export type ContainerFiles = ReturnType<typeof containerFiles>;
