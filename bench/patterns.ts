import { compileEventPattern, RuleIndex } from '../src/events/patterns/index.ts';
import { report, spread } from './report.ts';

/*
 * How many events a second one processor matches against 1,000 rules, of which a few match: rules of the kinds that buses
 * have, for many sources, with exact fields, prefixes, numbers and arrays of objects.
 */

const RULES = 1000;
const EVENTS = 2000;
const ROUNDS = 10;
const FLOOR = 5000;

function patternOf(rule: number): object {
  const source = `shop.service${rule % 50}`;
  const kind = `Event ${rule % 20}`;
  switch (rule % 5) {
    case 0:
      return { source: [source], 'detail-type': [kind] };
    case 1:
      return { source: [source], detail: { customer: { id: [`c${rule}`] } } };
    case 2:
      return {
        source: [source],
        'detail-type': [kind],
        detail: { total: [{ numeric: ['>', rule, '<=', rule + 100] }] },
      };
    case 3:
      return { source: [source], detail: { lines: { sku: [`sku${rule}`], count: [{ numeric: ['>', 2] }] } } };
    default:
      return {
        source: [source],
        $or: [
          { detail: { file: [{ wildcard: `*/${rule}/*.png` }] } },
          { detail: { customer: { region: [{ prefix: 'eu-' }] } } },
        ],
      };
  }
}

const eventOf = (number: number): object => ({
  version: '0',
  id: `e${number}`,
  'detail-type': `Event ${number % 20}`,
  source: `shop.service${number % 60}`,
  account: '000000000000',
  time: '2026-05-04T10:11:12Z',
  region: 'eu-west-1',
  resources: [`arn:aws:shop:eu-west-1:000000000000:order/${number}`],
  detail: {
    total: number % 1500,
    customer: { id: `c${number % 1200}`, region: number % 9 === 0 ? 'eu-west' : 'us-east' },
    file: `/data/${number % 1000}/picture.${number % 2 === 0 ? 'png' : 'gif'}`,
    lines: Array.from({ length: 5 }, (_, line) => ({ sku: `sku${(number + line) % 1000}`, count: line })),
  },
});

const index = new RuleIndex<number>();
for (let rule = 0; rule < RULES; rule += 1) {
  index.add(`r${rule}`, compileEventPattern(patternOf(rule), 'eventbridge'), rule);
}
const events = Array.from({ length: EVENTS }, (_, number) => eventOf(number));
let matches = 0;
for (const event of events) matches += index.match(event).length;
const samples: number[] = [];
const start = performance.now();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const event of events) {
    const began = performance.now();
    index.match(event);
    samples.push(performance.now() - began);
  }
}
const perSecond = (ROUNDS * EVENTS * 1000) / (performance.now() - start);
report([
  {
    what: `an event matched against ${RULES.toLocaleString('en-US')} rules`,
    ...spread(samples),
    throughput: { value: perSecond, unit: 'events/s' },
    floor: `${FLOOR.toLocaleString('en-US')} events/s`,
    reached: perSecond >= FLOOR,
    note: `${(matches / EVENTS).toFixed(1)} rules match`,
  },
]);
