import { containerSummary } from '../containers/container-json.ts';
import { imageSummary } from '../images/image-json.ts';
import { type Answer, type Call, json } from '../server/route.ts';
import { invalid } from '../shapes/shape.ts';
import { volumeJson } from '../volumes/routes.ts';
import { timeText } from './machine-time.ts';

const TYPES = ['container', 'image', 'volume', 'build-cache'];

/** "Get data usage information". */
export async function systemDataUsage(call: Call): Promise<Answer> {
  const { query, api } = call;
  const types = api >= 42 ? query.list('type') : [];
  const unknown = types.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) throw invalid(`unknown object type: ${unknown.slice(0, 60)}`);
  const wanted = (type: string) => types.length === 0 || types.includes(type);
  const [images, containers, volumes, cache] = await Promise.all([
    wanted('image') ? imageUsage(call) : undefined,
    wanted('container') ? containerUsage(call) : undefined,
    wanted('volume') ? volumeUsage(call) : undefined,
    wanted('build-cache') ? cacheUsage(call) : undefined,
  ]);
  return json({
    LayersSize: images?.layersSize ?? 0,
    Images: images?.list ?? null,
    Containers: containers ?? null,
    Volumes: volumes ?? null,
    BuildCache: cache ?? null,
    ...(api < 42 ? { BuilderSize: 0 } : {}),
  });
}

async function imageUsage({ host, api }: Call): Promise<{ readonly layersSize: number; readonly list: object[] }> {
  const images = await host.images();
  const [all, usage, containers] = await Promise.all([
    images.list(),
    images.usage(),
    host.engine().then((engine) => engine.list()),
  ]);
  const users = Map.groupBy(containers, ({ spec }) => spec.image.id);
  const list = all.map((image) => {
    const shared = usage.shared.get(image.id) ?? 0;
    return imageSummary(image, { api, shared, containers: users.get(image.id)?.length ?? 0 });
  });
  return { layersSize: usage.layersSize, list };
}

async function containerUsage({ host, api }: Call): Promise<object[]> {
  const engine = await host.engine();
  const containers = await engine.list();
  const now = Date.now();
  return Promise.all(
    containers.map(async (container) => {
      const sizes = await engine.sizes(container.id).catch(() => undefined);
      return containerSummary(container, { api, now, image: container.spec.image.reference, sizes });
    }),
  );
}

async function volumeUsage({ host }: Call): Promise<object[]> {
  const { volumes } = await host.engine();
  const all = await volumes.list();
  const sized = await Promise.all(
    all.map(async (volume) => {
      const usage = await volumes.usage(volume.name).catch(() => undefined);
      return usage === undefined ? [] : [volumeJson(volume, usage)];
    }),
  );
  return sized.flat();
}

async function cacheUsage({ host, api }: Call): Promise<object[]> {
  const builder = await host.builder();
  return (await builder.cacheUsage()).map((entry) => ({
    ID: entry.id,
    ...(api < 42 ? { Parent: '' } : {}),
    Type: entry.type,
    Description: entry.description,
    InUse: entry.inUse,
    Shared: false,
    Size: entry.size,
    CreatedAt: timeText(entry.created),
    LastUsedAt: timeText(entry.lastUsed),
    UsageCount: entry.uses,
  }));
}
