/**
 * Runs the tests: every `*.test.ts` below `src/` and `test/`. `--slow` adds those that end in `.slow.test.ts`; names of
 * files or folders as further arguments narrow the choice. The exit status is the test runner's.
 */
import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Files that run at once. Many start servers and sandboxes of their own, so more would only wait for the processor. */
const CONCURRENCY = 2;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const { values, positionals } = parseArgs({ options: { slow: { type: 'boolean' } }, allowPositionals: true });

const files: string[] = [];
for await (const file of glob('{src,test}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules/**'] })) {
  const wanted = positionals.length === 0 || positionals.some((part) => file.startsWith(part.replace(/^\.\//, '')));
  if (wanted && (values.slow || !file.endsWith('.slow.test.ts'))) files.push(file);
}
if (files.length === 0) {
  process.stderr.write(`No test file matches ${positionals.join(' ') || 'anything'}.\n`);
  process.exit(1);
}
const runner = spawn(
  process.execPath,
  ['--test', `--test-concurrency=${CONCURRENCY}`, '--test-reporter=spec', ...files.sort()],
  { cwd: root, stdio: 'inherit' },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => runner.kill(signal));
runner.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
