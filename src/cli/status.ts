import { requireInstance } from './instance.ts';
import { paint, print, printJson, type Terminal, table } from './terminal.ts';

const MIB = 1024 * 1024;

/** Tells what runs on a data directory. */
export async function status(terminal: Terminal, directory: string, { json }: { json: boolean }): Promise<void> {
  const { status } = await requireInstance(directory);
  if (json) return printJson(terminal, status);
  const { clock } = status;
  const moved = clock.offsetMs === 0 ? '' : `, ${clock.offsetMs / 1000} s ahead`;
  print(
    terminal,
    table([
      ['endpoint', paint(terminal, 'bold', status.endpoint)],
      ['process', `${status.pid}, version ${status.version}, ${Math.round(status.memoryBytes / MIB)} MB`],
      ['started', new Date(status.startedAt).toISOString()],
      ['state', status.dataDirectory ?? 'nothing is kept (--ephemeral)'],
      ['clock', `${clock.now}${clock.frozen ? ', frozen' : ''}${moved}`],
      ['iam', status.iam],
      ['services', status.services.join(', ')],
      ['containers', status.containers === 0 ? 'none' : `${status.containers} running`],
      [
        'pools',
        Object.entries(status.pools)
          .map(([runtime, count]) => `${runtime}: ${count}`)
          .join(', ') || 'none',
      ],
    ]),
  );
  if (status.environments.length > 0) {
    const rows = status.environments.map((environment) => [
      environment.functionArn,
      environment.state,
      `${Math.round(environment.memoryUsedMb)} MB`,
    ]);
    print(terminal);
    print(terminal, table([['FUNCTION', 'STATE', 'MEMORY'], ...rows]));
  }
  for (const line of status.missing) print(terminal, paint(terminal, 'yellow', `missing: ${line}`));
}
