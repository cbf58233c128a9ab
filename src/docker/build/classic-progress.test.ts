import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BuildProgress, BuildStep } from '../../images/index.ts';
import { ClassicProgress } from './classic-progress.ts';

const step = (number: number, text: string): BuildStep => ({ number, total: 3, stage: '0', text, line: number });
const started = (number: number, text: string): BuildProgress => ({
  kind: 'step',
  step: step(number, text),
  state: 'started',
});
const done = (number: number, text: string, cached = false): BuildProgress => ({
  kind: 'step',
  step: step(number, text),
  state: 'done',
  cached,
  durationMs: 1,
  result: `result${number}`,
});
const output = (number: number, bytes: Uint8Array): BuildProgress => ({
  kind: 'output',
  step: step(number, ''),
  stream: 'stdout',
  bytes,
});

function told(events: readonly BuildProgress[], flush = false): string {
  const messages: { readonly stream?: string }[] = [];
  const progress = new ClassicProgress((message) => messages.push(message));
  for (const event of events) progress.take(event);
  if (flush) progress.flush();
  return messages.map(({ stream }) => stream ?? '').join('');
}

describe('the classic builder’s words', () => {
  it('tell steps, cached ones and their results', () => {
    assert.equal(
      told([started(1, 'FROM a'), done(1, 'FROM a', true), started(2, 'ENV A=b'), done(2, 'ENV A=b', true)]),
      'Step 1/3 : FROM a\n ---> result1\nStep 2/3 : ENV A=b\n ---> Using cache\n ---> result2\n',
    );
  });

  it('tell one step after the other, although stages are built at the same time', () => {
    const events = [
      started(1, 'FROM a'),
      started(3, 'RUN b'),
      output(3, Buffer.from('late\n')),
      done(1, 'FROM a'),
      started(2, 'RUN a'),
      done(3, 'RUN b'),
      output(2, Buffer.from('early\n')),
      done(2, 'RUN a'),
    ];
    assert.equal(
      told(events),
      'Step 1/3 : FROM a\n ---> result1\nStep 2/3 : RUN a\nearly\n ---> result2\nStep 3/3 : RUN b\nlate\n ---> result3\n',
    );
  });

  it('tell what waited when a build has failed', () => {
    assert.equal(
      told([started(1, 'RUN a'), started(2, 'RUN b'), output(2, Buffer.from('why\n'))], true),
      'Step 1/3 : RUN a\nStep 2/3 : RUN b\nwhy\n',
    );
  });

  it('do not break characters that come in two pieces', () => {
    const bytes = Buffer.from('é\n');
    assert.equal(
      told([started(1, 'RUN a'), output(1, bytes.subarray(0, 1)), output(1, bytes.subarray(1))]),
      'Step 1/3 : RUN a\né\n',
    );
  });
});
