import type { Container } from '../../containers/index.ts';
import type { Images } from '../../images/index.ts';
import { type Answer, type Call, json } from '../server/route.ts';
import { type Filters, namePattern, readFilters } from '../shapes/filters.ts';
import { invalid, readWhole } from '../shapes/shape.ts';
import { containerSummary, type Sizes } from './container-json.ts';
import { readPort } from './ports.ts';

const FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];
const STATUSES = new Set(['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']);
const HEALTH = new Set(['starting', 'healthy', 'unhealthy', 'none']);

export async function containerList(call: Call): Promise<Answer> {
  const { host, query, api } = call;
  const filters = readFilters(query, FILTERS);
  const limit = Math.max(query.whole('limit') ?? 0, 0);
  const [engine, images] = await Promise.all([host.engine(), host.images()]);
  const containers = (await engine.list()).toSorted((one, other) => other.created - one.created);
  const matches = await compile(filters, containers, images, limit > 0 || query.flag('all'));
  const chosen = containers.filter(matches);
  const shown = limit > 0 ? chosen.slice(0, limit) : chosen;
  const sizes = query.flag('size') ? await Promise.all(shown.map(({ id }) => sizesOf(engine, id))) : [];
  const names = await imageNames(images);
  const now = Date.now();
  const body = shown.map((container, index) => {
    const { id, reference } = container.spec.image;
    // A name that has moved on to another image would mislead: then the ID is shown.
    const image = names.get(id)?.has(normalized(reference)) || id.startsWith(reference) ? reference : id;
    return containerSummary(container, { api, now, image, sizes: sizes[index] });
  });
  return json(body);
}

/** A container may go while its size is taken. */
async function sizesOf(engine: Awaited<ReturnType<Call['host']['engine']>>, id: string): Promise<Sizes> {
  return engine.sizes(id).catch(() => ({ written: 0, root: 0 }));
}

/** References, with their tags, by image. */
async function imageNames(images: Images): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const list = await images.list();
  return new Map(list.map((image) => [image.id, new Set([...image.tags, ...image.digests])]));
}

/** As the familiar names are: with a tag, without Docker Hub's host. */
function normalized(reference: string): string {
  const short = reference.replace(/^(?:docker\.io|index\.docker\.io)\/(?:library\/)?/, '').replace(/^library\//, '');
  return /[:@][^/]*$/.test(short) ? short : `${short}:latest`;
}

type Matches = (container: Container) => boolean;

async function compile(
  filters: Filters,
  containers: readonly Container[],
  images: Images,
  all: boolean,
): Promise<Matches> {
  for (const status of filters.get('status')) {
    if (!STATUSES.has(status)) throw invalid(`invalid filter 'status=${status}'`);
  }
  for (const health of filters.get('health')) {
    if (!HEALTH.has(health)) throw invalid(`invalid filter 'health=${health}'`);
  }
  const exited = filters.get('exited').map((code) => readWhole(code, 'filter exited'));
  const [published, exposed] = [filters.get('publish').map(readPorts), filters.get('expose').map(readPorts)];
  const [names, ids] = [filters.get('name').map(namePattern), filters.get('id').map(namePattern)];
  const ancestors = await readAncestors(filters, images);
  const [before, since] = (['before', 'since'] as const).map((name) =>
    filters.get(name).map((wanted) => {
      const found = containers.find(({ id, name: own }) => own === wanted.replace(/^\//, '') || id.startsWith(wanted));
      if (found === undefined) throw invalid(`invalid filter '${name}=${wanted}': no such container`);
      return found.created;
    }),
  );
  const onlyTasks = filters.flag('is-task') ?? false;
  const isolation = filters.get('isolation');
  const shownAll = all || filters.has('status');
  return (container) =>
    (shownAll || isAlive(container)) &&
    !onlyTasks &&
    isolation.every((value) => value === '' || value === 'default') &&
    filters.some('status', (status) => container.state.status === status) &&
    filters.some('health', (health) => (container.state.health?.status ?? 'none') === health) &&
    (exited.length === 0 || (hasExited(container) && exited.includes(container.state.exitCode))) &&
    filters.matchLabels(container.spec.labels) &&
    (names.length === 0 || names.some((fits) => fits(container.name) || fits(`/${container.name}`))) &&
    (ids.length === 0 || ids.some((fits) => fits(container.id))) &&
    (ancestors === undefined || ancestors.has(container.spec.image.id)) &&
    before!.every((time) => container.created < time) &&
    since!.every((time) => container.created > time) &&
    filters.some('volume', (wanted) => hasMount(container, wanted)) &&
    filters.some('network', (wanted) => isOn(container, wanted)) &&
    (published.length === 0 ||
      published.some((ports) => container.ports.some((port) => ports.has(`${port.containerPort}/${port.protocol}`)))) &&
    (exposed.length === 0 || exposed.some((ports) => container.spec.exposedPorts.some((port) => ports.has(port))));
}

function isAlive({ state: { status } }: Container): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

function hasExited({ state }: Container): boolean {
  return state.startedAt !== undefined && state.status !== 'running' && state.status !== 'paused';
}

function hasMount({ mounts }: Container, wanted: string): boolean {
  return mounts.some(({ name, destination }) => name === wanted || destination === wanted);
}

function isOn({ endpoints, spec }: Container, wanted: string): boolean {
  const { network } = spec;
  if (network.mode !== 'bridge') return network.mode === wanted;
  return (
    endpoints.some(({ networkId, networkName }) => networkName === wanted || networkId.startsWith(wanted)) ||
    network.endpoints.some((endpoint) => endpoint.network === wanted)
  );
}

/** `80`, `80/udp` or `8000-8010`. */
function readPorts(written: string): ReadonlySet<string> {
  const [, first = '', last = first, protocol = '/tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(\/[a-z]+)?$/.exec(written) ?? [];
  const [from, to] = [readPort(`${first}${protocol}`), readPort(`${last}${protocol}`)];
  return new Set(
    Array.from({ length: to.port - from.port + 1 }, (_, index) => `${from.port + index}/${from.protocol}`),
  );
}

/** Images that were named, and those that were built on them. */
async function readAncestors(filters: Filters, images: Images): Promise<ReadonlySet<string> | undefined> {
  const wanted = filters.get('ancestor');
  if (wanted.length === 0) return undefined;
  const found = await Promise.all(wanted.map((name) => images.find(name).catch(() => undefined)));
  const ancestors = new Set(found.flatMap((image) => (image === undefined ? [] : [image.id])));
  const parents = new Map((await images.list()).map(({ id, parent }) => [id, parent]));
  const descends = (id: string, depth = 0): boolean => {
    const parent = parents.get(id);
    return parent !== undefined && depth < parents.size && (ancestors.has(parent) || descends(parent, depth + 1));
  };
  return new Set([...ancestors, ...[...parents.keys()].filter((id) => descends(id))]);
}
