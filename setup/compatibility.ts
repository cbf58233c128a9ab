/**
 * Writes the tables of `docs/compatibility/`: each operation of the SDK's clients, whether it works, and what to know.
 * `npm run docs`; a test fails when they are out of date. Text around a table is left as it is.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '../src/base/json-logger.ts';
import { createManualClock } from '../src/base/system-clock.ts';
import { createSeededRandom } from '../src/base/system-random.ts';
import { LocalAuthority } from '../src/gateway/index.ts';
import { openState } from '../src/world/state.ts';
import { createWorld } from '../src/world/world.ts';
import { composeTable } from './compose-table.ts';
import { dockerTable } from './docker-table.ts';

const documents = join(dirname(fileURLToPath(import.meta.url)), '../docs/compatibility');
const BEGIN = '<!-- operations: written by npm run docs -->';
const END = '<!-- end of operations -->';

/** A service's document as it should be: its path below `docs/compatibility/`, and its text. */
export interface CompatibilityDocument {
  readonly name: string;
  readonly text: string;
}

interface Described {
  readonly name: string;
  readonly supported: ReadonlySet<string>;
  readonly refused: Readonly<Record<string, string>>;
  readonly operations: readonly string[];
}

/** The documents of all services, with their tables brought up to date. */
export async function compatibilityDocuments(): Promise<CompatibilityDocument[]> {
  const services = await describeServices();
  return Promise.all([
    ...services.map(async (service) => {
      const name = `${service.name}.md`;
      const present = await readFile(join(documents, name), 'utf8').catch(() => undefined);
      return { name, text: withTable(present ?? newDocument(service), table(service)) };
    }),
    composeDocument(),
    dockerDocument(),
  ]);
}

/** Members of the Compose file, by the model that reads it. */
async function composeDocument(): Promise<CompatibilityDocument> {
  const name = 'compose.md';
  return { name, text: withTable(await readFile(join(documents, name), 'utf8'), composeTable()) };
}

/** Endpoints of the Docker API, by the routes that serve them. */
async function dockerDocument(): Promise<CompatibilityDocument> {
  const name = 'docker.md';
  return { name, text: withTable(await readFile(join(documents, name), 'utf8'), dockerTable()) };
}

/** Makes every service, on a state that is kept nowhere, and asks what it can do. */
async function describeServices(): Promise<Described[]> {
  const directory = await mkdtemp(join(tmpdir(), 'kobune-docs-'));
  const clock = createManualClock();
  const random = createSeededRandom();
  const state = await openState({ directory, ephemeral: true, clock, random });
  const world = createWorld({
    state,
    clock,
    random,
    directory,
    logger: silentLogger,
    iam: 'off',
    unsandboxed: false,
    dockerTls: undefined,
    registryMirrors: [],
    version: '0.0.0',
    ephemeral: true,
    dataDirectory: '',
    hosts: [],
    gateway: () => {
      throw new Error('nothing is served here');
    },
    authority: new LocalAuthority({ directory, random }),
    endpoint: () => 'http://127.0.0.1:4566',
    observe: () => {},
    environment: {},
    rootKey: async () => {},
  });
  try {
    return await Promise.all(
      world.services.map(async (entry) => {
        const [{ operations, refused }, schemas] = await Promise.all([entry.load(), entry.model.schemas()]);
        const names = operationNames(schemas);
        return { name: entry.model.name, supported: new Set(Object.keys(operations)), refused, operations: names };
      }),
    );
  } finally {
    await world.close();
    await state.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** A schema that begins with 9 describes an operation; its third part is the name. */
function operationNames(schemas: Readonly<Record<string, unknown>>): string[] {
  const operations = Object.values(schemas).filter((schema) => Array.isArray(schema) && schema[0] === 9);
  return operations.map((schema) => String((schema as unknown[])[2])).sort();
}

function table({ operations, supported, refused }: Described): string {
  const rows = operations.map((name) => {
    if (supported.has(name)) return `| ${name} | works | |`;
    const reason = refused[name] ?? 'Not served; answered with an error that names it.';
    return `| ${name} | refused | ${reason.replaceAll('|', '\\|').replaceAll('\n', ' ')} |`;
  });
  const count = operations.filter((name) => supported.has(name)).length;
  return [
    `${count} of ${operations.length} operations work.`,
    '',
    '| Operation | Status | Notes |',
    '|---|---|---|',
    ...rows,
  ].join('\n');
}

function newDocument({ name }: Described): string {
  return `# ${name}\n\nThe operations of the SDK's client, and what Kobune does with each.\n\n${BEGIN}\n${END}\n`;
}

function withTable(document: string, content: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) return `${document.trimEnd()}\n\n${BEGIN}\n${content}\n${END}\n`;
  return `${document.slice(0, begin + BEGIN.length)}\n${content}\n${document.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await mkdir(documents, { recursive: true });
  for (const { name, text } of await compatibilityDocuments()) {
    await writeFile(join(documents, name), text);
    process.stdout.write(`docs/compatibility/${name}\n`);
  }
}
