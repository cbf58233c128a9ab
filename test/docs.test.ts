import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { compatibilityDocuments } from '../setup/compatibility.ts';
import { createProgram } from '../src/cli/program.ts';
import { brokenLinks, commandsIn } from './support/documents.ts';
import { filesMatching, root, type SourceFile } from './support/source-files.ts';

interface Manifest {
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

describe('the documentation', () => {
  let documents: SourceFile[];
  let manifests: Manifest[];
  before(async () => {
    documents = await filesMatching('{*,{docs,bench,examples,setup,test}/**/*}.md');
    const files = await filesMatching('{package.json,examples/*/package.json}');
    manifests = files.map(({ text }) => JSON.parse(text));
  });

  it('links to files that are there', async () => {
    assert.deepEqual((await Promise.all(documents.map(brokenLinks))).flat(), []);
  });

  it('has a line for each dependency, and none for what is not one', async () => {
    const text = await readFile(join(root, 'docs/dependencies.md'), 'utf8');
    const rows = [...text.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)]);
    const told = new Set(rows.map(([, name]) => name!));
    const used = new Set(
      manifests.flatMap(({ dependencies, devDependencies }) => Object.keys({ ...dependencies, ...devDependencies })),
    );
    assert.deepEqual(
      [...used].filter((name) => !told.has(name)),
      [],
      'not in docs/dependencies.md',
    );
    assert.deepEqual(
      [...told].filter((name) => !used.has(name)),
      [],
      'no longer a dependency',
    );
  });

  it('names only commands that exist', () => {
    const terminal = { stdout: process.stdout, stderr: process.stderr, environment: {}, workingDirectory: root };
    const program = createProgram(terminal, '0.0.0', () => {});
    const known = new Set([
      ...program.commands.map((command) => `kobune ${command.name()}`),
      ...manifests.flatMap(({ scripts }) => Object.keys(scripts)).flatMap((name) => [`npm run ${name}`, `npm ${name}`]),
    ]);
    const wrong = documents.flatMap((document) =>
      commandsIn(document).flatMap((command) => (known.has(command) ? [] : [`${document.path}: ${command}`])),
    );
    assert.deepEqual(wrong, []);
  });

  it('lists every operation of every service, as it is', async () => {
    for (const { name, text } of await compatibilityDocuments()) {
      const written = await readFile(join(root, 'docs/compatibility', name), 'utf8');
      assert.equal(written, text, `docs/compatibility/${name} is out of date: npm run docs`);
    }
  });
});

describe('the rules of the documentation', () => {
  it('find a broken link, outside of code', async () => {
    const text =
      'See [this](gone.md), [that](https://example.com), [here](#part), [it](../README.md) and `[x](code.md)`.';
    assert.deepEqual(await brokenLinks({ path: 'docs/a.md', text: text.replace('../README.md', '../package.json') }), [
      'docs/a.md → gone.md',
    ]);
  });

  it('find the commands in code', () => {
    const text =
      'Use `npm run check` or:\n```sh\n$ kobune up --detach\neval "$(kobune env)"\nnpm start\n```\nNot npm run x.';
    assert.deepEqual(commandsIn({ path: 'a.md', text }).sort(), [
      'kobune env',
      'kobune up',
      'npm run check',
      'npm start',
    ]);
  });
});
