import type { Route } from '../server/route.ts';
import { containerArchive, containerArchiveInfo, putContainerArchive } from './archive.ts';
import { containerChanges, containerExport, containerInspect, containerTop } from './inspect.ts';
import {
  containerCreate,
  containerDelete,
  containerKill,
  containerPause,
  containerPrune,
  containerRename,
  containerResize,
  containerRestart,
  containerStart,
  containerStop,
  containerUnpause,
  containerUpdate,
  containerWait,
} from './lifecycle.ts';
import { containerList } from './list.ts';
import { containerStats } from './stats.ts';
import { containerAttach, containerAttachWebsocket, containerLogs } from './streams.ts';

export const containerRoutes: readonly Route[] = [
  { method: 'GET', path: '/containers/json', operation: 'ContainerList', handle: containerList },
  { method: 'POST', path: '/containers/create', operation: 'ContainerCreate', handle: containerCreate },
  { method: 'POST', path: '/containers/prune', operation: 'ContainerPrune', since: 25, handle: containerPrune },
  { method: 'GET', path: '/containers/{id}/json', operation: 'ContainerInspect', handle: containerInspect },
  { method: 'GET', path: '/containers/{id}/top', operation: 'ContainerTop', handle: containerTop },
  { method: 'GET', path: '/containers/{id}/logs', operation: 'ContainerLogs', handle: containerLogs },
  { method: 'GET', path: '/containers/{id}/changes', operation: 'ContainerChanges', handle: containerChanges },
  { method: 'GET', path: '/containers/{id}/export', operation: 'ContainerExport', handle: containerExport },
  { method: 'GET', path: '/containers/{id}/stats', operation: 'ContainerStats', handle: containerStats },
  { method: 'POST', path: '/containers/{id}/resize', operation: 'ContainerResize', handle: containerResize },
  { method: 'POST', path: '/containers/{id}/start', operation: 'ContainerStart', handle: containerStart },
  { method: 'POST', path: '/containers/{id}/stop', operation: 'ContainerStop', handle: containerStop },
  { method: 'POST', path: '/containers/{id}/restart', operation: 'ContainerRestart', handle: containerRestart },
  { method: 'POST', path: '/containers/{id}/kill', operation: 'ContainerKill', handle: containerKill },
  { method: 'POST', path: '/containers/{id}/update', operation: 'ContainerUpdate', handle: containerUpdate },
  { method: 'POST', path: '/containers/{id}/rename', operation: 'ContainerRename', handle: containerRename },
  { method: 'POST', path: '/containers/{id}/pause', operation: 'ContainerPause', handle: containerPause },
  { method: 'POST', path: '/containers/{id}/unpause', operation: 'ContainerUnpause', handle: containerUnpause },
  { method: 'POST', path: '/containers/{id}/attach', operation: 'ContainerAttach', handle: containerAttach },
  {
    method: 'GET',
    path: '/containers/{id}/attach/ws',
    operation: 'ContainerAttachWebsocket',
    handle: containerAttachWebsocket,
  },
  { method: 'POST', path: '/containers/{id}/wait', operation: 'ContainerWait', handle: containerWait },
  { method: 'DELETE', path: '/containers/{id}', operation: 'ContainerDelete', handle: containerDelete },
  { method: 'HEAD', path: '/containers/{id}/archive', operation: 'ContainerArchiveInfo', handle: containerArchiveInfo },
  { method: 'GET', path: '/containers/{id}/archive', operation: 'ContainerArchive', handle: containerArchive },
  { method: 'PUT', path: '/containers/{id}/archive', operation: 'PutContainerArchive', handle: putContainerArchive },
];
