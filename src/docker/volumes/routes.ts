import { ServiceError } from '../../base/errors.ts';
import type { Volume } from '../../containers/index.ts';
import { noDriver } from '../containers/mounts.ts';
import { type Answer, type Call, empty, json, type Route } from '../server/route.ts';
import { namePattern, readFilters } from '../shapes/filters.ts';
import { map, nullable, object, text } from '../shapes/shape.ts';
import { timeText } from '../system/machine-time.ts';

const volumeBody = object(
  { Name: text, Driver: text, DriverOpts: nullable(map(text)), Labels: nullable(map(text)) },
  { refused: { ClusterVolumeSpec: 'volumes are local' } },
);

export function volumeJson(volume: Volume, usage?: { readonly size: number; readonly references: number }): object {
  return {
    CreatedAt: timeText(volume.created),
    Driver: volume.driver,
    Labels: Object.keys(volume.labels).length > 0 ? volume.labels : null,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(volume.options).length > 0 ? volume.options : null,
    Scope: 'local',
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.references, Size: usage.size } }),
  };
}

async function volumeCreate(call: Call): Promise<Answer> {
  const body = (await call.optionalJson(volumeBody)) ?? volumeBody({}, '');
  if (!['', 'local'].includes(body.Driver))
    throw new ServiceError('PluginNotFound', noDriver(body.Driver), { status: 404 });
  const { volumes } = await call.host.engine();
  const volume = await volumes.create({
    ...(body.Name === '' ? {} : { name: body.Name }),
    ...(body.Labels === null ? {} : { labels: body.Labels }),
    ...(body.DriverOpts === null ? {} : { driverOptions: body.DriverOpts }),
  });
  return json(volumeJson(volume), 201);
}

async function volumeList(call: Call): Promise<Answer> {
  const filters = readFilters(call.query, ['dangling', 'driver', 'label', 'name']);
  const names = filters.get('name').map(namePattern);
  const dangling = filters.flag('dangling');
  const { volumes } = await call.host.engine();
  const found = (await volumes.list()).filter(
    (volume) =>
      filters.some('driver', (driver) => volume.driver === driver) &&
      filters.matchLabels(volume.labels) &&
      (names.length === 0 || names.some((fits) => fits(volume.name))),
  );
  if (dangling === undefined) return json({ Volumes: found.map((volume) => volumeJson(volume)), Warnings: null });
  const unused = await Promise.all(found.map(async ({ name }) => (await volumes.usage(name)).references === 0));
  const shown = found.filter((_, index) => unused[index] === dangling);
  return json({ Volumes: shown.map((volume) => volumeJson(volume)), Warnings: null });
}

async function volumeInspect(call: Call): Promise<Answer> {
  const { volumes } = await call.host.engine();
  return json(volumeJson(await volumes.get(call.parameters.name!)));
}

async function volumeDelete(call: Call): Promise<Answer> {
  const { volumes } = await call.host.engine();
  await volumes.remove(call.parameters.name!, call.query.flag('force'));
  return empty();
}

/** Since 1.42 only volumes that were made without a name go, unless all are asked for. */
async function volumePrune(call: Call): Promise<Answer> {
  const { host, api } = call;
  const filters = readFilters(call.query, ['all', 'label', 'label!']);
  const all = api < 42 || (filters.flag('all') ?? false);
  const { volumes } = await host.engine();
  const { names, bytes } = await volumes.prune(
    (volume) => (all || volume.anonymous) && filters.matchLabels(volume.labels),
  );
  return json({ VolumesDeleted: names.length > 0 ? names : null, SpaceReclaimed: bytes });
}

export const volumeRoutes: readonly Route[] = [
  { method: 'GET', path: '/volumes', operation: 'VolumeList', handle: volumeList },
  { method: 'POST', path: '/volumes/create', operation: 'VolumeCreate', handle: volumeCreate },
  { method: 'POST', path: '/volumes/prune', operation: 'VolumePrune', since: 25, handle: volumePrune },
  { method: 'GET', path: '/volumes/{name}', operation: 'VolumeInspect', handle: volumeInspect },
  { method: 'DELETE', path: '/volumes/{name}', operation: 'VolumeDelete', handle: volumeDelete },
];
