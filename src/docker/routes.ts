import { buildRoutes } from './build/routes.ts';
import { containerRoutes } from './containers/routes.ts';
import { eventRoutes } from './events/routes.ts';
import { execRoutes } from './exec/routes.ts';
import { imageRoutes } from './images/routes.ts';
import { networkRoutes } from './networks/routes.ts';
import { refusedRoutes } from './refused/routes.ts';
import type { Route } from './server/route.ts';
import { systemRoutes } from './system/routes.ts';
import { volumeRoutes } from './volumes/routes.ts';

/** Every operation of the Docker Engine API, served or refused by name. Where two fit, the first counts. */
export const routes: readonly Route[] = [
  ...systemRoutes,
  ...eventRoutes,
  ...containerRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...buildRoutes,
  ...networkRoutes,
  ...volumeRoutes,
  ...refusedRoutes,
];
