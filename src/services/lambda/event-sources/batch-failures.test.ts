import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchFailures } from './batch-failures.ts';

const IDS = new Set(['a', 'b']);
const failures = (answer: string) => batchFailures(Buffer.from(answer), IDS);

describe('A partial batch response', () => {
  it('is a complete success when it reports nothing', () => {
    for (const answer of ['', 'null', '{}', '{"batchItemFailures":[]}', '{"batchItemFailures":null}', '{"other":1}']) {
      assert.deepEqual(failures(answer), new Set(), answer);
    }
  });

  it('names the messages that failed', () => {
    assert.deepEqual(failures('{"batchItemFailures":[{"itemIdentifier":"b"}]}'), new Set(['b']));
    assert.deepEqual(
      failures('{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}'),
      new Set(['a', 'b']),
    );
  });

  it('is a complete failure when it is not valid', () => {
    const items = ['{"itemIdentifier":""}', '{"itemIdentifier":null}', '{"messageId":"a"}', '{"itemIdentifier":"c"}'];
    for (const item of [...items, '{"itemIdentifier":1}', 'null', '"a"', '["a"]']) {
      assert.equal(failures(`{"batchItemFailures":[{"itemIdentifier":"a"},${item}]}`), 'all', item);
    }
    for (const answer of ['{', '"done"', 'true', '[]', '{"batchItemFailures":{}}', '{"batchItemFailures":"a"}']) {
      assert.equal(failures(answer), 'all', answer);
    }
  });
});
