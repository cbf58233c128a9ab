/** For tests: the program of `EngineProcess`. It takes commands as lines of JSON and ends with its input. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { silentLogger } from '../../base/json-logger.ts';
import { createSystemClock } from '../../base/system-clock.ts';
import { createSystemRandom } from '../../base/system-random.ts';
import { createContentStore, createImages } from '../../images/index.ts';
import { addBusybox } from '../../images/test-support.ts';
import { createContainerNetworks } from '../../network/index.ts';
import { openBlobStore, openLmdbStore } from '../../store/index.ts';
import { createContainerEngine } from '../container-engine.ts';

const [directory = '', ephemeral] = process.argv.slice(2);
const [clock, random, logger] = [createSystemClock({ keepAlive: true }), createSystemRandom(), silentLogger];
const instance = createHash('sha256').update(directory).digest('hex').slice(0, 8);
const store = await openLmdbStore({ directory: join(directory, 'store') });
const blobs = await openBlobStore({ directory: join(directory, 'blobs'), store, random, clock, durable: false });
const content = createContentStore({ store, blobs });
const base = { store, clock, random, logger, instance, ephemeral: ephemeral === 'true' };
const images = await createImages({ ...base, content, directory: join(directory, 'images') });
const networks = createContainerNetworks({
  ...base,
  names: [],
  openGateway: async () => ({ port: 1, close: async () => {} }),
});
await networks.start();
const engine = createContainerEngine({ ...base, images, networks, directory: join(directory, 'docker') });
await engine.start();
const { id: imageId } = (await images.find('busybox:latest')) ?? (await addBusybox({ content, images }));

async function logText(id: string): Promise<string> {
  let text = '';
  for await (const { bytes } of engine.logs(id, { stdout: true, stderr: true, follow: false }))
    text += Buffer.from(bytes);
  return text;
}

const methods = { logText } as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
const say = (message: unknown) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ imageId });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, args } = JSON.parse(line);
  const called = methods[method]
    ? methods[method](...args)
    : (engine as unknown as typeof methods)[method]!.call(engine, ...args);
  called.then(
    (value) => say({ id, value }),
    (error) => say({ id, error: { code: error.code, message: error.message } }),
  );
}
await engine.close();
await networks.close();
await images.close();
await blobs.close();
await store.close();
process.exit(0);
