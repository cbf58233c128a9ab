import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createIgnore, ignoreFileNames, PatternError, pathPattern } from './index.ts';

describe('.dockerignore', () => {
  /** Text, paths that it leaves out, paths that it lets in. */
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['*/temp*', ['a/temporary.txt', 'a/temp', 'a/temp/b'], ['temp', 'a/b/temp']],
    ['*/*/temp*', ['a/b/temporary'], ['a/temp']],
    ['temp?', ['tempa', 'tempb', 'tempa/x'], ['temp', 'tempab']],
    ['**/*.go', ['a.go', 'a/b.go', 'a/b/c.go'], ['a.goo', 'go']],
    ['*.md\n!README.md', ['a.md'], ['README.md', 'b/a.md']],
    ['*.md\n!README*.md\nREADME-secret.md', ['a.md', 'README-secret.md'], ['README.md', 'README-x.md']],
    ['*.md\nREADME-secret.md\n!README*.md', ['a.md'], ['README-secret.md', 'README.md']],
    ['# comment\n\n  a  \n\t', ['a'], ['# comment', 'b']],
    [' # not a comment', ['# not a comment'], ['a']],
    ['/foo/bar', ['foo/bar', 'foo/bar/x'], ['foo', 'bar']],
    ['foo/bar/', ['foo/bar', 'foo/bar/x'], ['foo/barx']],
    ['./a/../b', ['b'], ['a']],
    ['a', ['a', 'a/b', 'a/b/c'], ['b/a', 'ab']],
    ['a\n!a/b', ['a', 'a/c'], ['a/b', 'a/b/c']],
    ['!a\na', ['a', 'a/b'], ['b']],
    ['*\n!src', ['a', 'lib/x'], ['src', 'src/a', 'src/b/c']],
    ['*\n!**/*.ts', ['a', 'a.js', 'x/a.js'], ['a.ts', 'x/a.ts', 'x/y/a.ts']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'b']],
    ['**', ['a', 'a/b'], []],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['a/xb', 'b']],
    ['**/b', ['b', 'a/b', 'a/c/b', 'b/x'], ['ab', 'a/bc']],
    ['**b', ['b', 'ab', 'x/ab'], ['ba']],
    ['a**', ['a', 'ab', 'a/b'], ['b/a']],
    ['[a-c].txt', ['a.txt', 'c.txt'], ['d.txt', 'ab.txt']],
    ['[^a-c].txt', ['d.txt'], ['a.txt']],
    ['\\*.txt', ['*.txt'], ['a.txt']],
    ['[*].txt', ['*.txt'], ['a.txt']],
    ['a.b+(c){d}|$', ['a.b+(c){d}|$'], ['axb+(c){d}|$']],
    ['\uFEFFa\r\nb\r\n', ['a', 'b'], ['c']],
    ['日本*', ['日本語'], ['日']],
    ['.', [], ['a', 'b/c']],
    ['..', [], ['a']],
    ['/', [], ['a']],
    ['.git\nnode_modules', ['.git', '.git/HEAD', 'node_modules/a'], ['a/.git', '.gitignore']],
    ['', [], ['a']],
  ];
  for (const [text, excluded, included] of cases) {
    it(JSON.stringify(text), () => {
      const ignore = createIgnore(text);
      assert.deepEqual(
        excluded.filter((path) => !ignore.excludes(path)),
        [],
      );
      assert.deepEqual(
        included.filter((path) => ignore.excludes(path)),
        [],
      );
    });
  }

  it('tells which directories need no walk', () => {
    for (const [text, directory, prunes] of [
      ['a', 'a', true],
      ['a', 'b', false],
      ['a\n!b', 'a', true],
      ['a\n!a/b/c', 'a', false],
      ['a\n!a/b/c', 'a/b', false],
      ['a\n!a/b/c', 'a/x', true],
      ['!a/b\na', 'a', true],
      ['*\n!**/*.ts', 'x', false],
      ['*\n!x*/y', 'xa', false],
      ['*\n!x*/y', 'ya', true],
      ['a/**', 'a', false],
      ['a/**', 'a/b', true],
      ['node_modules\n!src/**', 'node_modules', true],
      ['node_modules\n!src/**', 'node_modules/src', true],
    ] as const) {
      assert.equal(createIgnore(text).prunes(directory), prunes, `${JSON.stringify(text)} ${directory}`);
    }
  });

  it('refuses patterns that are none', () => {
    for (const text of ['[', 'a[', '[]', '[a', '[a-', '[-a]', '[a-]', 'a\\', '![', 'a\n ! \nb'])
      assert.throws(() => createIgnore(text), PatternError, text);
  });

  it('may be one of the Dockerfile alone', () => {
    assert.deepEqual(ignoreFileNames('build/app.Dockerfile'), ['build/app.Dockerfile.dockerignore', '.dockerignore']);
  });
});

describe('patterns of COPY', () => {
  it("match as Go's filepath.Match does", () => {
    const long = `${'a*'.repeat(500)}b`;
    for (const [pattern, path, matches] of [
      ['*.png', 'a.png', true],
      ['*.png', 'a/b.png', false],
      ['index.?s', 'index.js', true],
      ['index.?s', 'index./s', false],
      ['arr[[]0].txt', 'arr[0].txt', true],
      ['a*/b', 'a/b', true],
      ['a*/b', 'a/c/b', false],
      ['a*b?c*x', 'abxbbxdbxebxczzx', true],
      ['a*b?c*x', 'abxbbxdbxebxczzy', false],
      ['**', 'a', true],
      ['**', 'a/b', false],
      ['*x', 'xxx', true],
      ['a[^b]c', 'adc', true],
      ['[\\-x]', '-', true],
      ['[x\\]]', ']', true],
      ['', '', true],
      ['😀?', '😀😀', true],
      [long, 'a'.repeat(3000), false],
      [long, `${'a'.repeat(3000)}b`, true],
    ] as const) {
      assert.equal(pathPattern(pattern, { doubleStar: false }).matches(path), matches, `${pattern} ${path}`);
    }
  });
});
