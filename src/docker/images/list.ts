import type { Image } from '../../images/index.ts';
import { type Answer, type Call, json } from '../server/route.ts';
import { type Filters, readFilters } from '../shapes/filters.ts';
import { readPast } from '../shapes/timestamp.ts';
import { createdAt, imageSummary } from './image-json.ts';
import { referencePattern } from './reference-pattern.ts';

const FILTERS = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'];

export async function imageList(call: Call): Promise<Answer> {
  const { host, query, api } = call;
  const filters = readFilters(query, FILTERS);
  // Until 1.40 one pattern of names could be given by itself.
  const single = api < 41 ? query.text('filter') : '';
  const images = await host.images();
  const all = await images.list();
  const matches = await compileImageFilters(call, filters);
  const parents = new Set(all.map(({ parent }) => parent));
  const narrowed = single === '' ? undefined : referencePattern(single);
  const shown = all
    .filter((image) => query.flag('all') || !isIntermediate(image, parents))
    .filter((image) => matches(image) && (narrowed === undefined || image.tags.some(narrowed)))
    .toSorted((one, other) => createdAt(other) - createdAt(one));
  const shared = query.flag('shared-size') ? (await images.usage()).shared : undefined;
  return json(
    shown.map((image) => {
      const named = filters.has('reference') ? onlyNamed(image, filters) : image;
      return imageSummary(named, {
        api,
        shared: shared?.get(image.id) ?? (shared === undefined ? -1 : 0),
        containers: -1,
      });
    }),
  );
}

/** Steps of builds: without a name, and something was built upon them. */
function isIntermediate({ id, tags, digests }: Image, parents: ReadonlySet<string | undefined>): boolean {
  return tags.length === 0 && digests.length === 0 && parents.has(id);
}

/** A list that is narrowed to names shows those names alone. */
function onlyNamed(image: Image, filters: Filters): Image {
  const patterns = filters.get('reference').map(referencePattern);
  const keep = (names: readonly string[]) => names.filter((name) => patterns.some((fits) => fits(name)));
  return { ...image, tags: keep(image.tags), digests: keep(image.digests) };
}

export async function compileImageFilters(call: Call, filters: Filters): Promise<(image: Image) => boolean> {
  const images = await call.host.images();
  const times = async (name: string) =>
    Promise.all(filters.get(name).map(async (reference) => createdAt(await images.get(reference))));
  const [before, since] = await Promise.all([times('before'), times('since')]);
  const until = filters.get('until').map((value) => readPast(value, Date.now(), 'filter until'));
  const dangling = filters.flag('dangling');
  const patterns = filters.get('reference').map(referencePattern);
  return (image) =>
    (dangling === undefined || dangling === (image.tags.length === 0)) &&
    filters.matchLabels(image.config.config?.Labels ?? {}) &&
    (patterns.length === 0 || [...image.tags, ...image.digests].some((name) => patterns.some((fits) => fits(name)))) &&
    [...before, ...until].every((time) => createdAt(image) < time) &&
    since.every((time) => createdAt(image) > time);
}
