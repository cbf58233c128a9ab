/** The table of `docs/compatibility/docker.md`: each endpoint of the Docker Engine API, from the routes that serve them. */
import { routes as dockerRoutes } from '../src/docker/routes.ts';

/** Rows in the order of the table of routes. */
export function dockerTable(): string {
  const served = dockerRoutes.filter(({ refused }) => refused === undefined).length;
  const rows = dockerRoutes.map(({ method, path, operation, refused, note, since }) => {
    const from = since === undefined ? '' : `From 1.${since}. `;
    const notes = `${from}${refused ?? note ?? ''}`.trim().replaceAll('|', '\\|');
    return `| ${operation} | \`${method} ${path.replaceAll('...}', '}')}\` | ${refused === undefined ? 'works' : 'refused'} | ${notes} |`;
  });
  return [
    `${served} of ${dockerRoutes.length} endpoints work.`,
    '',
    '| Operation | Endpoint | Status | Notes |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}
