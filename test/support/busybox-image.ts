import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { pack } from 'tar-stream';
import { DockerClient } from '../../src/cli/docker-client/client.ts';

const BUSYBOX = '/bin/busybox';

/** For `skip`: false, or why there is no busybox to make an image of. */
export const withoutBusybox = existsSync(BUSYBOX)
  ? false
  : `${BUSYBOX} is not installed (apt-get install busybox-static)`;

/** Gives the engine behind a socket an image of Debian's static busybox, called `reference`. */
export async function importBusybox(socketPath: string, reference: string): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(BUSYBOX));
  for (const applet of execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (applet !== 'busybox') archive.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  archive.entry({ name: 'etc/passwd' }, 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n');
  archive.entry({ name: 'etc/group' }, 'root:x:0:\nnobody:x:65534:\n');
  archive.entry({ name: 'tmp', type: 'directory', mode: 0o1777 });
  archive.finalize();
  const [repo, tag] = reference.split(':');
  const stream = { source: archive as AsyncIterable<Uint8Array>, type: 'application/x-tar' };
  const client = new DockerClient({ socketPath });
  const response = await client.open('POST', '/images/create', { query: { fromSrc: '-', repo, tag }, stream });
  for await (const chunk of response) if (String(chunk).includes('"error"')) throw new Error(String(chunk));
}
