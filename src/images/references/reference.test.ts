import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../base/errors.ts';
import { canonicalName, familiarName, parseReference, withDefaultTag } from './reference.ts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('references', () => {
  for (const [text, canonical, familiar] of [
    ['busybox', 'docker.io/library/busybox', 'busybox'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['library/busybox', 'docker.io/library/busybox', 'busybox'],
    ['docker.io/busybox', 'docker.io/library/busybox', 'busybox'],
    ['index.docker.io/busybox:x', 'docker.io/library/busybox:x', 'busybox:x'],
    ['docker.io/library/foo/bar', 'docker.io/library/foo/bar', 'library/foo/bar'],
    ['team/app', 'docker.io/team/app', 'team/app'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app', 'localhost:5000/app', 'localhost:5000/app'],
    ['LOCALhost/app', 'LOCALhost/app', 'LOCALhost/app'],
    ['Registry/app', 'Registry/app', 'Registry/app'],
    ['[::1]:5000/a/b:c', '[::1]:5000/a/b:c', '[::1]:5000/a/b:c'],
    ['quay.io/a__b/c-d.e/f--g:T_1.x-y', 'quay.io/a__b/c-d.e/f--g:T_1.x-y', 'quay.io/a__b/c-d.e/f--g:T_1.x-y'],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    [`h.io/a:t@${DIGEST}`, `h.io/a:t@${DIGEST}`, `h.io/a:t@${DIGEST}`],
    [
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com/a',
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com/a',
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com/a',
    ],
    ['a:5000', 'docker.io/library/a:5000', 'a:5000'],
  ] as const) {
    it(`read ${text} as Docker does`, () => {
      const reference = parseReference(text);
      assert.equal(canonicalName(reference), canonical);
      assert.equal(familiarName(reference), familiar);
      assert.deepEqual(parseReference(familiar), reference);
    });
  }

  it('have the tag latest unless told', () => {
    assert.equal(familiarName(withDefaultTag(parseReference('a/b'))), 'a/b:latest');
    assert.equal(familiarName(withDefaultTag(parseReference(`a@${DIGEST}`))), `a@${DIGEST}`);
  });

  for (const [text, message] of [
    ['', 'invalid reference format'],
    [':tag', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a:b:c', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a_', 'invalid reference format'],
    ['a.', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['a:-x', 'invalid reference format'],
    [`a:${'x'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    ['https://host/a', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['../a', 'invalid reference format'],
    ['host:port/a', 'invalid reference format'],
    ['Uppercase:tag', 'invalid reference format: repository name (library/Uppercase) must be lowercase'],
    ['host.io/A', 'invalid reference format: repository name (A) must be lowercase'],
    ['a/b'.padEnd(300, 'c'), 'repository name must not be more than 255 characters'],
    ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  ] as const) {
    it(`refuse ${text.slice(0, 40)}`, () => {
      assert.throws(() => parseReference(text), new ServiceError('InvalidReference', message));
    });
  }

  it('are read or refused, whatever is written, and read the same again', () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9._:@/[\]-]{0,30}$/);
    fc.assert(
      fc.property(fc.oneof(part, fc.string()), (text) => {
        try {
          const reference = parseReference(text);
          assert.deepEqual(parseReference(familiarName(reference)), reference);
          assert.deepEqual(parseReference(canonicalName(reference)), reference);
        } catch (error) {
          assert.ok(error instanceof ServiceError, String(error));
        }
      }),
      { seed: 3, numRuns: 3000 },
    );
  });
});
