/**
 * Builds the release: `dist/kobune.js` and the chunks that it loads when they are needed. Everything but native code is
 * bundled, so that an installation is small and a start reads few files.
 */
import { chmod, cp, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withoutGetters } from './builtin-modules.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const output = join(root, 'dist');

/** Packages with native code, and what can be missing. */
const EXTERNAL = ['lmdb', 'msgpackr-extract', 'bufferutil', 'utf-8-validate'];

await rm(output, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { kobune: 'src/cli/kobune.ts', 'layer-worker': 'src/images/layers/layer-worker.ts' },
  outdir: output,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  external: EXTERNAL,
  minifySyntax: true,
  minifyWhitespace: true,
  // Names stay, for stack traces that a person can read.
  keepNames: false,
  legalComments: 'linked',
  mainFields: ['module', 'main'],
  conditions: ['node', 'import'],
  // CommonJS packages in the bundle call `require` for Node's own modules.
  banner: { js: "import{createRequire as $$require}from'node:module';const require=$$require(import.meta.url);" },
  plugins: [withoutGetters(['http', 'tls'])],
  logLevel: 'warning',
});
for (const family of ['node', 'python']) {
  const filter = (path: string) => !path.endsWith('.test.ts') && !path.includes('__pycache__');
  await cp(join(root, 'src/functions/runtimes', family), join(output, 'runtimes', family), { recursive: true, filter });
}
await chmod(join(output, 'kobune.js'), 0o755);

let bytes = 0;
const files = await readdir(output, { recursive: true, withFileTypes: true });
for (const file of files.filter((entry) => entry.isFile()))
  bytes += (await stat(join(file.parentPath, file.name))).size;
process.stdout.write(`dist: ${files.length} files, ${(bytes / 1024 / 1024).toFixed(1)} MB\n`);
