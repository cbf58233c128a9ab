import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { Stage } from './stage.ts';
import type { World } from './world.ts';

/** Worlds that answer with their number. `broken`: what fails in which. */
function stageOf(broken: { readonly start?: number; readonly close?: number } = {}) {
  const answers: number[] = [];
  let count = 0;
  const stage = new Stage(() => {
    const number = ++count;
    const fail = (which: number | undefined) =>
      which === number ? Promise.reject(new Error(`world ${number}`)) : Promise.resolve();
    const frontEnd = { name: 'test', matches: () => true, handle: () => answers.push(number) };
    const world: Partial<World> = {
      frontEnds: [frontEnd],
      start: () => fail(broken.start),
      close: () => fail(broken.close),
    };
    return world as World;
  });
  const ask = () => stage.handle({} as IncomingMessage, {} as ServerResponse);
  return { stage, ask, answers };
}

describe('the stage', () => {
  it('has requests that come during an exchange answered by the new world', async () => {
    const { stage, ask, answers } = stageOf();
    ask();
    await stage.replace(async () => ask(), { erase: false });
    ask();
    assert.deepEqual(answers, [1, 2, 2]);
  });

  it('keeps nobody waiting when the new world does not wholly begin', async () => {
    const { stage, ask, answers } = stageOf({ start: 2 });
    await assert.rejects(
      stage.replace(async () => ask(), { erase: false }),
      /world 2/,
    );
    ask();
    await stage.replace(async () => {}, { erase: false });
    ask();
    assert.deepEqual(answers, [2, 2, 3]);
  });

  it('leaves the state as it is when what only the state knows of could not be ended', async () => {
    const { stage, ask, answers } = stageOf({ close: 1 });
    let erased = false;
    const replacing = stage.replace(
      async () => {
        erased = true;
      },
      { erase: true },
    );
    await assert.rejects(replacing, /world 1/);
    assert.equal(erased, false);
    ask();
    assert.deepEqual(answers, [2]);
  });
});
