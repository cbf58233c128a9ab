import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileInput, InvalidInputError, type TargetInput } from './index.ts';

// The same inputs in each run; another seed finds others.
fc.configureGlobal({ seed: 20261125 });

const RULE = { ruleArn: 'arn:aws:events:eu-west-1:000000000000:rule/stops', ruleName: 'stops', ingestionTime: 0 };
const event = {
  version: '0',
  id: '5a0e',
  'detail-type': 'Pump Stopped',
  source: 'plant.pumps',
  account: '000000000000',
  time: '2026-05-04T10:11:12Z',
  region: 'eu-west-1',
  resources: ['arn:aws:pumps:eu-west-1:000000000000:pump/7'],
  detail: {
    'pump-id': 'p-7',
    state: 'STOPPED',
    liters: 12.5,
    alarms: [
      { name: 'dry', level: 2 },
      { name: 'hot', level: 5 },
    ],
    tags: ['a', 'b'],
    matrix: [[1, 2], [3]],
    quote: 'it said "stop"',
    'a name': { 'b.c': true },
    nothing: null,
  },
};

const sent = (input: TargetInput, given: unknown = event): string =>
  Buffer.from(compileInput(input, 't1')(given, RULE)).toString();

const transformed = (inputTemplate: string, inputPathsMap: Record<string, string> = PATHS): string =>
  sent({ inputTransformer: { inputTemplate, inputPathsMap } });

const PATHS = {
  time: '$.time',
  pump: '$.detail.pump-id',
  state: '$.detail.state',
  liters: '$.detail.liters',
  alarms: '$.detail.alarms',
  quote: '$.detail.quote',
  gone: '$.detail.gone',
  nothing: '$.detail.nothing',
};

const refused = (input: TargetInput, message: RegExp): void => {
  assert.throws(
    () => compileInput(input, 't1'),
    (error) => error instanceof InvalidInputError && message.test(error.message),
  );
};

describe('the input of a target', () => {
  it('is the event unless told', () => {
    assert.deepEqual(JSON.parse(sent({})), event);
  });

  it('is a constant, as it was written', () => {
    assert.equal(sent({ input: '{ "a": 1 }' }), '{ "a": 1 }');
    refused({ input: '{a}' }, /^Input for target t1 is not a valid JSON text\.$/);
  });

  it('is one of input, path and transformer', () => {
    refused({ input: '1', inputPath: '$' }, /^Only one of Input, InputPath, or InputTransformer must be provided/);
  });
});

describe('the input path of a target', () => {
  for (const [path, expected] of [
    ['$', event],
    ['$.detail.state', 'STOPPED'],
    ['$.detail.liters', 12.5],
    ['$.detail.alarms[1].name', 'hot'],
    ['$.detail.alarms[*].name', ['dry', 'hot']],
    ['$.detail.alarms.*.level', [2, 5]],
    ['$.detail.matrix[0]', [1, 2]],
    ['$.detail.matrix[*]', [[1, 2], [3]]],
    ["$.detail['a name']['b.c']", true],
    ['$["detail"]["pump-id"]', 'p-7'],
    ['$.detail.gone', null],
    ['$.detail.nothing', null],
    ['$.detail.tags[2]', null],
    ['$.detail.state[0]', null],
    ['$.detail.tags.length', null],
    ['$.detail.toString', null],
    ['$.detail.gone[*]', null],
  ] as const) {
    it(`finds ${path}`, () => assert.deepEqual(JSON.parse(sent({ inputPath: path })), expected));
  }

  for (const path of ['', 'detail', '$detail', '$.', '$..state', '$.a[', '$.a[-1]', '$.a[?(@.b)]', '$.a b', "$['a]"]) {
    it(`refuses ${JSON.stringify(path)}`, () => refused({ inputPath: path }, /^Invalid InputPath for target t1/));
  }
});

describe('an input template', () => {
  for (const [what, template, expected] of [
    ['a text', '"pump <pump> is <state>"', '"pump p-7 is STOPPED"'],
    ['a text with quotes', '"pump \\"<pump>\\" is <state>"', '"pump \\"p-7\\" is STOPPED"'],
    ['several texts', '"one <pump>"\n"two <state>"\n', '"one p-7"\n"two STOPPED"\n'],
    ['JSON', '{\n "pump" : <pump>,\n "state": <state>\n}', '{"pump":"p-7","state":"STOPPED"}'],
    [
      'JSON with variables in texts',
      '{"s": "<state>", "t": "\\"<pump>\\" is <state>"}',
      '{"s":"STOPPED","t":"\\"p-7\\" is STOPPED"}',
    ],
    ['JSON with fixed parts', '{"s": [ 9, <state>, true ], "by": "us all"}', '{"s":[9,"STOPPED",true],"by":"us all"}'],
    ['numbers', '{"n": <liters>, "t": "<liters> l"}', '{"n":12.5,"t":"12.5 l"}'],
    ['an array', '{"a": <alarms>}', '{"a":[{"name":"dry","level":2},{"name":"hot","level":5}]}'],
    ['an array in a text, without its quotes', '"<alarms>"', '"[{name:dry,level:2},{name:hot,level:5}]"'],
    ['a text with quotes outside of quotes', '{"q": <quote>}', '{"q":"it said \\"stop\\""}'],
    ['a text with quotes in quotes, unescaped', '"<quote>"', '"it said "stop""'],
    ['what is not there, in a text', '"[<gone>]"', '"[]"'],
    ['what is not there, in JSON', '{"g": <gone>}', '{"g":""}'],
    ['null', '{"g": <nothing>}', '{"g":null}'],
    [
      'the rule',
      '{"arn": <aws.events.rule-arn>, "n": "<aws.events.rule-name> ran"}',
      `{"arn":"${RULE.ruleArn}","n":"stops ran"}`,
    ],
    ['the time', '"<aws.events.event.ingestion-time>"', '"1970-01-01T00:00:00Z"'],
    ['the whole event', '<aws.events.event.json>', JSON.stringify(event)],
    ['the event within', '{"e": <aws.events.event.json>}', `{"e":${JSON.stringify(event)}}`],
    ['signs that are no variable', '"a < b > <pump>"', '"a < b > p-7"'],
    ['an escaped backslash before the end of a text', '{"a": "x\\\\", "b": <pump>}', '{"a":"x\\\\","b":"p-7"}'],
    [
      'a text after a colon that has a variable',
      '{"a": "<pump>", "b": {"c": "<state>"}}',
      '{"a":"p-7","b":{"c":"STOPPED"}}',
    ],
  ] as const) {
    it(`takes ${what}`, () => assert.equal(transformed(template), expected));
  }

  it('gives the event without its detail', () => {
    const { detail: _, 'detail-type': detailType, ...rest } = event;
    assert.deepEqual(JSON.parse(transformed('{"e": <aws.events.event>}')), { e: { ...rest, detailType } });
  });

  for (const [what, template, message] of [
    ['a text without quotes', 'pump <pump>', /is not valid JSON/],
    ['an unknown variable', '"<who>"', /^InputTemplate for target t1 contains invalid placeholder who\.$/],
    ['an unknown variable of AWS', '"<aws.events.bus>"', /contains invalid placeholder aws\.events\.bus/],
    ['a variable as a key', '{"<pump>": 1}', /object key/],
    ['a variable as a key without quotes', '{<pump>: 1}', /is not valid JSON/],
    ['broken JSON', '{"a": <pump>', /is not valid JSON/],
    ['spaces within a number', '{"a": 1 2}', /is not valid JSON/],
    ['a text that does not end', '"pump <pump>', /a string was expected/],
    ['a text and something else', '"a" <pump>', /a string was expected/],
    ['nothing', '', /must have 1 to 8192 characters/],
    ['too much', `"${'x'.repeat(8191)}"`, /must have 1 to 8192 characters/],
  ] as const) {
    it(`refuses ${what}`, () =>
      refused({ inputTransformer: { inputTemplate: template, inputPathsMap: PATHS } }, message));
  }

  it('has at most 100 variables, of other names than AWS has', () => {
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`v${n}`, '$.id']));
    assert.equal(transformed('"<v99>"', many(100)), '"5a0e"');
    refused({ inputTransformer: { inputTemplate: '"<v1>"', inputPathsMap: many(101) } }, /more than 100 entries/);
    refused({ inputTransformer: { inputTemplate: '1', inputPathsMap: { 'aws.x': '$' } } }, /invalid key aws\.x/);
    refused({ inputTransformer: { inputTemplate: '1', inputPathsMap: { a: 'x' } } }, /invalid path x/);
  });

  it('of any text is taken or refused, and gives the event back unharmed', () => {
    const before = structuredClone(event);
    const parts = fc.constantFrom(
      '<pump>',
      '<gone>',
      '<aws.events.event>',
      '"',
      '\\',
      '{',
      '}',
      ':',
      ',',
      '<',
      '>',
      ' ',
      'a',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(parts).map((all) => all.join('')),
          fc.string(),
        ),
        (inputTemplate) => {
          try {
            transformed(inputTemplate);
          } catch (error) {
            assert.ok(error instanceof InvalidInputError, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
    assert.deepEqual(event, before);
  });

  it('gives JSON when its variables stand outside of quotes, whatever they are', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const input = { inputTransformer: { inputTemplate: '{"v": [<v>]}', inputPathsMap: { v: '$.v' } } };
        assert.deepEqual(JSON.parse(sent(input, { v: value })), JSON.parse(JSON.stringify({ v: [value] })));
      }),
    );
  });
});
