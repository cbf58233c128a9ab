import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainScalar } from './scalar.ts';
import { readYaml, type Tree } from './yaml-tree.ts';

function plain(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plain);
  return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plain(value)]));
}
const read = (text: string) => readYaml(text, 'compose.yaml').map(plain);

describe('YAML of Compose files', () => {
  for (const [text, value] of [
    ['', null],
    ['~', null],
    ['null', null],
    ['true', true],
    ['False', false],
    ['yes', 'yes'],
    ['12', 12],
    ['-3', -3],
    ['1_000', 1000],
    ['0440', 288],
    ['0o17', 15],
    ['0x1F', 31],
    ['0b101', 5],
    ['08', 8],
    ['1.50', 1.5],
    ['1e3', 1000],
    ['3.8.1', '3.8.1'],
    ['22:22', '22:22'],
    ['2026-01-02', '2026-01-02'],
    ['123456789012345678901', '123456789012345678901'],
  ] as const) {
    it(`an unquoted ${text || 'nothing'} is ${JSON.stringify(value)}`, () => assert.equal(plainScalar(text), value));
  }

  it('keeps what is quoted as text', () => {
    assert.deepEqual(read(`{a: "1", b: 'true', c: "", d: !!str 5, e: |-\n  12\n}`.replace('|-\n  12\n', '5')), [
      { a: '1', b: 'true', c: '', d: '5', e: 5 },
    ]);
  });

  it('resolves anchors, aliases and merge keys; own keys and earlier maps win', () => {
    const text = `
x-a: &a {one: 1, two: 2}
x-b: &b {two: 22, three: 3}
c: {<<: *a, one: 11}
d:
  <<: [*a, *b]
  four: 4
e: *b`;
    assert.deepEqual(read(text), [
      {
        'x-a': { one: 1, two: 2 },
        'x-b': { two: 22, three: 3 },
        c: { one: 11, two: 2 },
        d: { four: 4, one: 1, two: 2, three: 3 },
        e: { two: 22, three: 3 },
      },
    ]);
  });

  it('reads several documents, and none', () => {
    assert.deepEqual(read('a: 1\n---\nb: 2\n'), [{ a: 1 }, { b: 2 }]);
    assert.deepEqual(read('# nothing\n'), []);
  });

  it('knows the line of each value, and the tags of merging', () => {
    const [tree] = readYaml('a:\n  - x\n  - !reset y\nb: !override\n  c: 1\n', 'f.yaml');
    assert.ok(tree?.kind === 'map');
    const [a, b] = [tree.entries.get('a')!.value, tree.entries.get('b')!];
    assert.ok(a.kind === 'list');
    assert.deepEqual(
      a.items.map(({ place, tag }) => [place.line, tag]),
      [
        [2, undefined],
        [3, 'reset'],
      ],
    );
    assert.deepEqual([b.place.line, b.value.tag], [4, 'override']);
  });

  for (const [name, text, message] of [
    ['a key given twice', 'a: 1\nb: 2\na: 3', /^compose\.yaml:3: Map keys must be unique/],
    ['wrong indentation', 'a:\n  b: 1\n c: 2', /^compose\.yaml:3: /],
    ['an unknown tag', 'a: !!binary x', /^compose\.yaml:1: the tag !!binary is not supported here/],
    ['a tag of one’s own', 'a:\n  b: !vault x', /^compose\.yaml:2: the tag !vault is not supported here/],
    ['an anchor that is not there', 'a: *b', /^compose\.yaml:1: (?:there is no anchor &b|Unresolved alias)/],
    ['a key that is a list', '? [a]\n: 1', /^compose\.yaml:1: a key must be text/],
    ['merging what is no map', 'a: {<<: [1]}', /^compose\.yaml:1: "<<" merges maps only/],
    ['an alias that leads to itself', 'a: &a\n  b: *a', /^compose\.yaml:\d: an alias leads to itself/],
  ] as const) {
    it(`refuses ${name}, with its line`, () => assert.throws(() => read(text), { message }));
  }

  it('is not filled by aliases that multiply, nor by nesting', () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `l${level}: &l${level} [${Array(9).fill(level === 0 ? 'x' : `*l${level - 1}`)}]`,
    );
    assert.throws(() => read(levels.join('\n')), { message: /more than 100000 values/ });
    assert.throws(() => read(`a: ${'['.repeat(80)}${']'.repeat(80)}`), { message: /nested deeper than 64 levels/ });
    assert.throws(() => read(`a: ${'['.repeat(300_000)}`), { message: /nested deeper than 64 levels/ });
    assert.throws(() => read('a'.repeat(5 * 1024 * 1024)), { message: /is larger than/ });
  });
});
