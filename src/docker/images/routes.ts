import { notImplemented } from '../refused/not-implemented.ts';
import type { Answer, Call, Route } from '../server/route.ts';
import { empty, json } from '../server/route.ts';
import { Filters, readFilters } from '../shapes/filters.ts';
import { invalid } from '../shapes/shape.ts';
import { imageCommit } from './commit.ts';
import { historyJson, imageJson } from './image-json.ts';
import { compileImageFilters, imageList } from './list.ts';
import { checkPlatform } from './platform.ts';
import { distributionInspect, imageCreate, imageGet, imageGetAll, imageLoad, imagePush, withTag } from './transfer.ts';

async function imageInspect(call: Call): Promise<Answer> {
  const images = await call.host.images();
  return json(imageJson(await images.get(call.parameters.name!), call.api));
}

async function imageHistory(call: Call): Promise<Answer> {
  const images = await call.host.images();
  const image = await images.get(call.parameters.name!);
  checkPlatform(call.query.text('platform'), call.parameters.name!, image.config);
  return json(historyJson(image));
}

async function imageTag(call: Call): Promise<Answer> {
  const { query } = call;
  if (query.text('repo') === '') throw invalid('invalid reference format: repository name must not be empty');
  const images = await call.host.images();
  await images.tag(call.parameters.name!, withTag(query.text('repo'), query.text('tag')));
  return empty(201);
}

async function imageDelete(call: Call): Promise<Answer> {
  const { query } = call;
  query.refuse({ platforms: 'an image here is of one platform' });
  const images = await call.host.images();
  const removed = await images.remove(call.parameters.name!, {
    force: query.flag('force'),
    prune: !query.flag('noprune'),
  });
  return json(removed.map(removedJson));
}

function removedJson({ untagged, deleted }: { readonly untagged?: string; readonly deleted?: string }): object {
  return {
    ...(untagged === undefined ? {} : { Untagged: untagged }),
    ...(deleted === undefined ? {} : { Deleted: deleted }),
  };
}

async function imagePrune(call: Call): Promise<Answer> {
  const { host } = call;
  const filters = readFilters(call.query, ['dangling', 'label', 'label!', 'until']);
  const all = filters.flag('dangling') === false;
  const withoutDangling = new Map(['label', 'label!', 'until'].map((name) => [name, filters.get(name)]));
  const matches = await compileImageFilters(call, new Filters(withoutDangling));
  const { removed, bytes } = await (await host.images()).prune({ all, matches });
  return json({ ImagesDeleted: removed.length > 0 ? removed.map(removedJson) : null, SpaceReclaimed: bytes });
}

export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: '/images/json', operation: 'ImageList', handle: imageList },
  {
    method: 'GET',
    path: '/images/search',
    operation: 'ImageSearch',
    ...notImplemented('the search of Docker Hub is not served; a registry’s own interface lists what is in it'),
  },
  { method: 'GET', path: '/images/get', operation: 'ImageGetAll', handle: imageGetAll },
  { method: 'POST', path: '/images/create', operation: 'ImageCreate', handle: imageCreate },
  { method: 'POST', path: '/images/load', operation: 'ImageLoad', handle: imageLoad },
  { method: 'POST', path: '/images/prune', operation: 'ImagePrune', since: 25, handle: imagePrune },
  { method: 'GET', path: '/images/{name...}/json', operation: 'ImageInspect', handle: imageInspect },
  { method: 'GET', path: '/images/{name...}/history', operation: 'ImageHistory', handle: imageHistory },
  { method: 'GET', path: '/images/{name...}/get', operation: 'ImageGet', handle: imageGet },
  { method: 'POST', path: '/images/{name...}/push', operation: 'ImagePush', handle: imagePush },
  { method: 'POST', path: '/images/{name...}/tag', operation: 'ImageTag', handle: imageTag },
  { method: 'DELETE', path: '/images/{name...}', operation: 'ImageDelete', handle: imageDelete },
  { method: 'POST', path: '/commit', operation: 'ImageCommit', handle: imageCommit },
  {
    method: 'GET',
    path: '/distribution/{name...}/json',
    operation: 'DistributionInspect',
    since: 30,
    handle: distributionInspect,
  },
];
