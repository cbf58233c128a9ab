import { ServiceError } from '../../base/errors.ts';
import { NO_CHECKPOINTS } from '../containers/lifecycle.ts';
import { json, type Route } from '../server/route.ts';
import { noSwarm, notImplemented } from './not-implemented.ts';

const NO_PLUGINS = 'Docker’s plugins cannot be installed; volumes are local, networks are bridges';
const NO_SESSIONS =
  'builds with BuildKit’s sessions are not served; clients fall back to the classic builder, or use `kobune build`';
const ONE_MACHINE = 'Kobune joins no swarm: workloads of several machines are Kubernetes objects';

type Refusal = readonly [method: Route['method'], path: string, operation: string];

const SWARM: readonly Refusal[] = [
  ['GET', '/swarm', 'SwarmInspect'],
  ['POST', '/swarm/leave', 'SwarmLeave'],
  ['POST', '/swarm/update', 'SwarmUpdate'],
  ['GET', '/swarm/unlockkey', 'SwarmUnlockkey'],
  ['POST', '/swarm/unlock', 'SwarmUnlock'],
  ['GET', '/nodes', 'NodeList'],
  ['GET', '/nodes/{id}', 'NodeInspect'],
  ['DELETE', '/nodes/{id}', 'NodeDelete'],
  ['POST', '/nodes/{id}/update', 'NodeUpdate'],
  ['GET', '/services', 'ServiceList'],
  ['POST', '/services/create', 'ServiceCreate'],
  ['GET', '/services/{id}', 'ServiceInspect'],
  ['DELETE', '/services/{id}', 'ServiceDelete'],
  ['POST', '/services/{id}/update', 'ServiceUpdate'],
  ['GET', '/services/{id}/logs', 'ServiceLogs'],
  ['GET', '/tasks', 'TaskList'],
  ['GET', '/tasks/{id}', 'TaskInspect'],
  ['GET', '/tasks/{id}/logs', 'TaskLogs'],
  ['GET', '/secrets', 'SecretList'],
  ['POST', '/secrets/create', 'SecretCreate'],
  ['GET', '/secrets/{id}', 'SecretInspect'],
  ['DELETE', '/secrets/{id}', 'SecretDelete'],
  ['POST', '/secrets/{id}/update', 'SecretUpdate'],
  ['GET', '/configs', 'ConfigList'],
  ['POST', '/configs/create', 'ConfigCreate'],
  ['GET', '/configs/{id}', 'ConfigInspect'],
  ['DELETE', '/configs/{id}', 'ConfigDelete'],
  ['POST', '/configs/{id}/update', 'ConfigUpdate'],
  ['PUT', '/volumes/{name}', 'VolumeUpdate'],
];

const REFUSED: readonly (readonly [...Refusal, reason: string])[] = [
  ['POST', '/swarm/init', 'SwarmInit', ONE_MACHINE],
  ['POST', '/swarm/join', 'SwarmJoin', ONE_MACHINE],
  ['GET', '/plugins/privileges', 'GetPluginPrivileges', NO_PLUGINS],
  ['POST', '/plugins/pull', 'PluginPull', NO_PLUGINS],
  ['POST', '/plugins/create', 'PluginCreate', NO_PLUGINS],
  ['POST', '/session', 'Session', NO_SESSIONS],
  ['POST', '/grpc', 'Grpc', NO_SESSIONS],
  ['GET', '/containers/{id}/checkpoints', 'CheckpointList', NO_CHECKPOINTS],
  ['POST', '/containers/{id}/checkpoints', 'CheckpointCreate', NO_CHECKPOINTS],
  ['DELETE', '/containers/{id}/checkpoints/{checkpoint}', 'CheckpointDelete', NO_CHECKPOINTS],
];

const PLUGINS: readonly Refusal[] = [
  ['GET', '/plugins/{name...}/json', 'PluginInspect'],
  ['POST', '/plugins/{name...}/enable', 'PluginEnable'],
  ['POST', '/plugins/{name...}/disable', 'PluginDisable'],
  ['POST', '/plugins/{name...}/upgrade', 'PluginUpgrade'],
  ['POST', '/plugins/{name...}/push', 'PluginPush'],
  ['POST', '/plugins/{name...}/set', 'PluginSet'],
  ['DELETE', '/plugins/{name...}', 'PluginDelete'],
];

/** What the API describes and Kobune does not do, with the codes that clients know. */
export const refusedRoutes: readonly Route[] = [
  { method: 'GET', path: '/plugins', operation: 'PluginList', note: 'There are none.', handle: async () => json([]) },
  ...REFUSED.map(([method, path, operation, reason]) => ({ method, path, operation, ...notImplemented(reason) })),
  ...PLUGINS.map(([method, path, operation]) => ({ method, path, operation, ...noSuchPlugin() })),
  ...SWARM.map(([method, path, operation]) => ({ method, path, operation, ...noSwarm() })),
];

function noSuchPlugin(): Pick<Route, 'handle' | 'refused'> {
  return {
    refused: 'there is no plugin: answered so',
    handle: async ({ parameters }) => {
      throw new ServiceError('NotFound', `plugin "${parameters.name!.slice(0, 100)}" not found`, { status: 404 });
    },
  };
}
