/*
 * A process for tests to kill: opens the images of a directory, pulls, makes a root, and says on standard output how far it is.
 * Arguments: directory, reference.
 */
import { writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openImagesIn } from './test-support.ts';

const [directory, reference] = process.argv.slice(2) as [string, string];

/** One line, in the pipe when this returns: it survives the process. */
const say = (line: string) => writeSync(1, `${line}\n`);

const at = await openImagesIn(directory);
const image = await at.images.pull(reference, {
  onProgress: ({ status, id }) => {
    say(id ? `${status} ${id}` : status);
  },
});
say('pulled');
const root = await at.images.roots.create('kept', image.layers);
writeFileSync(join(root.path, 'written'), 'by the one that was killed');
await at.images.hold(image.id, 'kept');
say('written');
setInterval(() => {}, 1000);
