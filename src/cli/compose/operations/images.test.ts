import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ImageDetails } from '../../docker-client/answers.ts';
import { imageAction } from './images.ts';

const HOUR = 3_600_000;
const tagged = (ago: number): ImageDetails => ({
  Id: 'sha256:1',
  RepoTags: ['x'],
  RepoDigests: null,
  Size: 1,
  Metadata: { LastTagTime: new Date(Date.now() - ago).toISOString() },
});

describe("how a service's image is got", () => {
  // https://docs.docker.com/reference/compose-file/services/#pull_policy
  const usual = { build: 'missing', pull: undefined } as const;
  const build = { context: '/c' };
  for (const [name, service, present, options, expected] of [
    ['a missing one is pulled', { image: 'x' }, undefined, usual, 'pull'],
    ['one that is there is kept', { image: 'x' }, tagged(0), usual, 'keep'],
    ['always', { image: 'x', pull_policy: 'always' }, tagged(0), usual, 'pull'],
    ['never', { image: 'x', pull_policy: 'never' }, undefined, usual, 'keep'],
    ['daily, and it is new', { image: 'x', pull_policy: 'daily' }, tagged(23 * HOUR), usual, 'keep'],
    ['daily, and it is old', { image: 'x', pull_policy: 'daily' }, tagged(25 * HOUR), usual, 'pull'],
    ['weekly, and it is new', { image: 'x', pull_policy: 'weekly' }, tagged(25 * HOUR), usual, 'keep'],
    ['every two hours, and it is old', { image: 'x', pull_policy: 'every_2h' }, tagged(3 * HOUR), usual, 'pull'],
    ['the option wins', { image: 'x', pull_policy: 'never' }, tagged(0), { ...usual, pull: 'always' }, 'pull'],
    ['a missing one is built where that is said', { build }, undefined, usual, 'build'],
    ['a built one is kept', { build, image: 'x' }, tagged(0), usual, 'keep'],
    ['--build', { build, image: 'x' }, tagged(0), { ...usual, build: 'always' }, 'build'],
    ['the policy build', { build, pull_policy: 'build' }, tagged(0), usual, 'build'],
    ['--no-build of a name that was made up', { build }, undefined, { ...usual, build: 'never' }, 'keep'],
    ['--no-build of one with a name', { build, image: 'x' }, undefined, { ...usual, build: 'never' }, 'pull'],
  ] as const) {
    it(name, () => assert.equal(imageAction(service, present, options), expected));
  }
});
