import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exceedsLimit, lineageId, shortestChain, withInvocation } from './lineage.ts';

const name = { account: '000000000000', region: 'us-east-1', name: 'f' };
const ROOT = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0';
const A = 'a87bd80c';
const B = '68fd508a';

describe('the lineage in a trace header', () => {
  it('names a function by eight digits, whatever its qualifier', () => {
    assert.match(lineageId(name), /^[0-9a-f]{8}$/);
    assert.equal(lineageId({ ...name, qualifier: 'live' } as typeof name), lineageId(name));
    assert.notEqual(lineageId({ ...name, name: 'g' }), lineageId(name));
    assert.notEqual(lineageId({ ...name, region: 'eu-west-1' }), lineageId(name));
  });

  it('counts each function for itself, from 0', () => {
    const first = withInvocation(ROOT, A);
    assert.equal(first, `${ROOT};Lineage=${A}:0`);
    const second = withInvocation(first, B);
    assert.equal(second, `${ROOT};Lineage=${A}:0|${B}:0`);
    assert.equal(withInvocation(second, A), `${ROOT};Lineage=${A}:1|${B}:0`);
  });

  it('is found wherever it stands, and as boto3 sends it', () => {
    assert.equal(withInvocation(`Lineage=${A}:3%7C${B}:1;Root=1-2-3`, B), `Root=1-2-3;Lineage=${A}:3|${B}:2`);
    assert.equal(withInvocation(`Lineage=${A}:3`, A), `Lineage=${A}:4`);
  });

  it('lets a function run sixteen times', () => {
    let header = ROOT;
    for (let run = 1; run <= 16; run += 1) {
      header = withInvocation(header, A);
      assert.equal(exceedsLimit(header, A), false, `run ${run}`);
    }
    header = withInvocation(header, A);
    assert.equal(exceedsLimit(header, A), true);
    assert.equal(exceedsLimit(header, B), false);
    assert.equal(exceedsLimit(ROOT, A), false);
  });

  it('does not grow without end', () => {
    let header = ROOT;
    for (let run = 0; run < 1000; run += 1) header = withInvocation(header, A);
    for (let other = 0; other < 100; other += 1) header = withInvocation(header, other.toString(16).padStart(8, '0'));
    assert.ok(header.length < 600, header);
    assert.equal(exceedsLimit(header, A), true, 'the function that loops is not the one forgotten');
  });

  it('is the shortest of those that messages of one batch have', () => {
    const chain = (count: number) => `${ROOT};Lineage=${A}:${count}`;
    assert.equal(shortestChain([chain(7), chain(3), chain(9)], A), chain(3));
    assert.equal(shortestChain([chain(0), `${ROOT};Lineage=${B}:5`, chain(1)], A), `${ROOT};Lineage=${B}:5`);
    assert.equal(shortestChain([chain(0), ROOT], A), ROOT);
    assert.equal(shortestChain([chain(7), undefined], A), undefined);
    assert.equal(shortestChain([], A), undefined);
  });

  it('that is malformed counts nothing', () => {
    for (const odd of ['', 'x', `${A}:-1`, `${A}:999999`, `${A.toUpperCase()}:20`, '|'.repeat(900), `32767:${A}:255`]) {
      assert.equal(withInvocation(`${ROOT};Lineage=${odd}`, A), `${ROOT};Lineage=${A}:0`, odd);
      assert.equal(exceedsLimit(`${ROOT};Lineage=${odd}`, A), false, odd);
    }
  });
});
