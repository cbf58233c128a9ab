import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Row, rowsOf, table } from './report.ts';

/** The benchmarks in the order of the table. Each is a program of its own: `node bench/<name>.ts`. */
const BENCHMARKS = [
  'startup',
  'functions',
  'invoke',
  'event-sources',
  'eventbridge',
  'scheduler',
  's3',
  'sns',
  'sqs',
  'containers',
  'images',
  'store',
  'store-crash',
  'sandbox',
  'wire',
  'patterns',
  'deliveries',
  'soak',
] as const;

const HELP = `Usage: npm run bench -- [--only NAME[,NAME]] [--write]

Runs the benchmarks one after another and prints one table. NAME is one of: ${BENCHMARKS.join(', ')}.
--write also puts the table into bench/README.md.

Example: npm run bench -- --only s3,invoke`;

const { values } = parseArgs({
  options: { only: { type: 'string' }, write: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const chosen = values.only?.split(',') ?? BENCHMARKS;
await installPeers();
const rows: Row[] = [];
const failed: string[] = [];
for (const name of chosen) {
  if (!(BENCHMARKS as readonly string[]).includes(name)) {
    console.error(`There is no benchmark "${name}". ${HELP}`);
    process.exit(2);
  }
  console.error(`── ${name}`);
  const { code, output } = await run(name);
  rows.push(...rowsOf(output));
  if (code !== 0) failed.push(name);
}
const text = table(rows);
console.log(text);
if (values.write) await writeTable(text);
for (const name of failed) console.error(`${name} failed: run \`node bench/${name}.ts\` to see why`);
process.exitCode = failed.length > 0 ? 1 : 0;

function run(name: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`), '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** The peers are no dependency of Kobune: they are installed when they are to be measured. */
async function installPeers(): Promise<void> {
  const directory = join(import.meta.dirname, 'peers');
  if (existsSync(join(directory, 'node_modules/.package-lock.json'))) return;
  console.error('── installing the peers');
  const child = spawn('npm', ['ci', '--prefix', directory, '--loglevel=error'], { stdio: ['ignore', 2, 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`npm ci in ${directory} failed`);
}

/** Replaces the text between the two markers of bench/README.md. */
async function writeTable(text: string): Promise<void> {
  const path = join(import.meta.dirname, 'README.md');
  const machine = `Measured on ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}.`;
  const page = await readFile(path, 'utf8');
  const replaced = page.replace(
    /(<!-- table -->)[\s\S]*(<!-- end of table -->)/,
    (_, start, end) => `${start}\n${machine}\n\n${text}\n${end}`,
  );
  if (replaced === page) throw new Error(`${path} has no table markers, or the table is the same`);
  await writeFile(path, replaced);
}
