import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { memberStandings } from './standings.ts';

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** The specification's own schema, which an npm package of the tests carries. */
async function specification(): Promise<Schema> {
  const testcontainers = createRequire(import.meta.url).resolve('testcontainers/package.json');
  const file = createRequire(testcontainers).resolve('docker-compose/schema/compose-spec.json');
  return JSON.parse(await readFile(file, 'utf8')) as Schema;
}

/** Paths of all members that the schema names, without names that the user chooses. */
function membersOf(schema: Schema, root: Schema, path: readonly string[]): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1)!;
    return membersOf(root.definitions![name]!, root, path);
  }
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const here = [...path, name];
    return [here.join('.'), ...membersOf(member, root, here)];
  });
  const others = [
    ...Object.values(schema.patternProperties ?? {}),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(schema.oneOf ?? []),
    ...(schema.anyOf ?? []),
  ];
  return [...named, ...others.flatMap((other) => membersOf(other, root, path))];
}

/** Members of the specification that the package's schema does not have yet. */
const NEWER = ['services.pre_start'];

describe('the members that Kobune knows', () => {
  const standings = memberStandings();
  const unread = standings.filter(({ state }) => state !== 'works').map(({ path }) => `${path.join('.')}.`);

  it('are those of the specification, no more and no fewer', async () => {
    const schema = await specification();
    // The older form of `external` is read, but has no members of its own any more.
    const ignored = [...unread, ...['networks', 'volumes'].map((kind) => `${kind}.external.`)];
    const all = [...membersOf(schema, schema, []), ...NEWER];
    const theirs = new Set(all.filter((path) => !ignored.some((prefix) => path.startsWith(prefix))));
    const ours = new Set(standings.map(({ path }) => path.join('.')));
    assert.deepEqual(
      [...theirs].filter((path) => !ours.has(path)),
      [],
      'not known here',
    );
    assert.deepEqual(
      [...ours].filter((path) => !theirs.has(path)),
      [],
      'not in the specification',
    );
  });

  it('say why they do nothing', () => {
    for (const { path, state, note } of standings) if (state !== 'works') assert.ok(note.length > 10, path.join('.'));
  });
});
