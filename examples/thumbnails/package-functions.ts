import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { build } from 'esbuild';
import { ZipFile } from 'yazl';

const here = import.meta.dirname;

/** The TypeScript function: one bundled file, plus `sharp` and its native libraries, which cannot be bundled. */
export async function packageNodeFunction(): Promise<Buffer> {
  const bundle = await build({
    entryPoints: [join(here, 'node/handler.ts')],
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['sharp'],
    write: false,
    logLevel: 'warning',
  });
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(bundle.outputFiles[0]!.contents), 'index.js');
  for (const name of await withDependencies('sharp')) await addPackage(zip, name);
  return finish(zip);
}

/** The Python function: one file. boto3 comes with the runtime; Pillow is on the machine (on AWS, a layer brings it). */
export async function packagePythonFunction(): Promise<Buffer> {
  const zip = new ZipFile();
  zip.addBuffer(await readFile(join(here, 'python/handler.py')), 'handler.py');
  return finish(zip);
}

/** A package and everything it needs that is installed for this machine (optional native parts included). */
async function withDependencies(root: string): Promise<string[]> {
  const found = new Set<string>();
  const visit = async (name: string, from: string): Promise<void> => {
    const directory = await packageDirectory(name, from);
    if (!directory || found.has(name)) return;
    found.add(name);
    const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Manifest;
    for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
      await visit(dependency, directory);
    }
  };
  await visit(root, here);
  return [...found];
}

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

async function packageDirectory(name: string, from: string): Promise<string | undefined> {
  for (const modules of createRequire(join(from, 'x.js')).resolve.paths(name) ?? []) {
    const directory = await realpath(join(modules, name)).catch(() => undefined);
    if (directory) return directory;
  }
  return undefined;
}

async function addPackage(zip: ZipFile, name: string): Promise<void> {
  const directory = await packageDirectory(name, here);
  if (!directory) return;
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) zip.addFile(path, join('node_modules', name, path.slice(directory.length + 1)));
  }
}

async function finish(zip: ZipFile): Promise<Buffer> {
  const scratch = await mkdtemp(join(tmpdir(), 'thumbnails-'));
  try {
    zip.end();
    const path = join(scratch, 'function.zip');
    await pipeline(zip.outputStream, createWriteStream(path));
    return await readFile(path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
