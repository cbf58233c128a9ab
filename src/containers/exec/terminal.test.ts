import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LineEnds } from './terminal.ts';

describe('line ends of a terminal', () => {
  const complete = (...chunks: string[]) => {
    const ends = new LineEnds();
    return chunks.map((chunk) => ends.complete(Buffer.from(chunk)).toString());
  };

  it('get the carriage return that they have not, and no second one', () => {
    assert.deepEqual(complete('a\r\nb\nc\n\n'), ['a\r\nb\r\nc\r\n\r\n']);
    assert.deepEqual(complete('no end', ''), ['no end', '']);
  });

  it('may be cut in two', () => {
    assert.deepEqual(complete('a\r', '\nb', '\n', '\n', '\r', '', '\n'), [
      'a\r',
      '\nb',
      '\r\n',
      '\r\n',
      '\r',
      '',
      '\n',
    ]);
  });
});
