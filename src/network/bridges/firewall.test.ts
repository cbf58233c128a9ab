import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openKernel } from '../kernel.ts';
import { type Element, SETS } from './elements.ts';
import { Firewall } from './firewall.ts';
import { runProgram } from './program.ts';
import { keepingLogger, random, whyNot } from './test-support.ts';

const EXAMPLES: readonly Element[] = [
  { set: 'bridges', key: ['kb0123456789ab'] },
  { set: 'internal', key: ['elements'] },
  { set: 'masqueraded', key: ['kb1'] },
  { set: 'neighbours', key: ['kb1', 'kb1'] },
  { set: 'subnets4', key: ['172.17.0.0/16', '172.17.0.0/16'] },
  { set: 'subnets6', key: ['fd00:1::/64', 'fd00:1::/64'] },
  { set: 'gateways', key: ['kb1'], value: ['40000'] },
  { set: 'resolvers', key: ['kb1'], value: ['65535'] },
  { set: 'ports4', key: ['6', '127.0.0.1', '8080'], value: ['172.17.0.2', '80'] },
  { set: 'ports6', key: ['17', 'fd00:1::1', '53'], value: ['fd00:1::2', '5353'] },
  { set: 'ports4_any', key: ['17', '8080'], value: ['172.17.0.2', '80'] },
  { set: 'ports6_any', key: ['6', '8080'], value: ['fd00:1::2', '80'] },
];

describe('the table of rules', { skip: await whyNot() }, () => {
  const table = `kobune-test${random.hex(6)}`;
  const logger = keepingLogger();
  const bySystemCalls = new Firewall({ table, kernel: openKernel(), logger });
  const list = () => runProgram('nft', ['list', 'table', 'inet', table]);
  let empty: string;

  before(async () => {
    await bySystemCalls.load([]);
    empty = await list();
  });
  after(() => bySystemCalls.close({ keepTable: false }));

  it('is the same whether elements come by the program or by system calls', async () => {
    assert.deepEqual(new Set(EXAMPLES.map(({ set }) => set)), new Set(Object.keys(SETS)));
    const byProgram = new Firewall({ table, kernel: undefined, logger });
    await byProgram.load(EXAMPLES);
    const loaded = await list();
    await byProgram.load([]);
    assert.equal(await list(), empty);
    await byProgram.update({ add: EXAMPLES });
    assert.equal(await list(), loaded);
    await byProgram.update({ remove: EXAMPLES });
    assert.equal(await list(), empty);
    await bySystemCalls.update({ add: EXAMPLES });
    assert.equal(await list(), loaded);
    await bySystemCalls.update({ remove: EXAMPLES });
    assert.equal(await list(), empty);
    await byProgram.close({ keepTable: true });
  });

  it('leads a port to another place in one change', async () => {
    const to = (host: string): Element => ({ set: 'ports4', key: ['6', '127.0.0.1', '80'], value: [host, '80'] });
    await bySystemCalls.update({ add: [to('172.17.0.2')] });
    await bySystemCalls.update({ remove: [to('172.17.0.2')], add: [to('172.17.0.3')] });
    assert.match(await list(), /elements = \{ tcp \. 127\.0\.0\.1 \. 80 : 172\.17\.0\.3 \. 80 \}/);
    await bySystemCalls.update({ remove: [to('172.17.0.3')] });
    assert.equal(await list(), empty);
  });

  it('takes what is asked for at once in one change, also what is taken back again', async () => {
    const port = (number: number): Element => ({
      set: 'ports4_any',
      key: ['6', String(number)],
      value: ['172.17.0.2', '80'],
    });
    const many = Array.from({ length: 1000 }, (_, index) => port(1000 + index));
    await Promise.all([
      ...many.map((element) => bySystemCalls.update({ add: [element] })),
      ...many.slice(1).map((element) => bySystemCalls.update({ remove: [element] })),
    ]);
    assert.match(await list(), /elements = \{ tcp \. 1000 : 172\.17\.0\.2 \. 80 \}/);
    await bySystemCalls.update({ add: many });
    await bySystemCalls.update({ remove: [...many, ...EXAMPLES] });
    assert.equal(await list(), empty);
    assert.deepEqual(logger.warnings, []);
  });

  it('has made every change that it says is made, whenever it was asked for', async () => {
    const port = (number: number): Element => ({
      set: 'ports4_any',
      key: ['6', String(number)],
      value: ['172.17.0.2', '80'],
    });
    // One change after the other is asked for while the one before is just being done with.
    for (let turns = 0; turns < 12; turns++) {
      const before = bySystemCalls.update({ add: [port(1)] });
      for (let turn = 0; turn < turns; turn++) await undefined;
      await bySystemCalls.update({ add: [port(2)] });
      assert.match(await list(), /tcp \. 2 : /, `after ${turns} turns`);
      await before;
      await bySystemCalls.update({ remove: [port(1), port(2)] });
    }
    assert.equal(await list(), empty);
  });
});
