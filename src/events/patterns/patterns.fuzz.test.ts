import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compileEventPattern, compileFilterPolicy, InvalidPatternError, RuleIndex } from './index.ts';

// The same inputs in each run; another seed finds others.
fc.configureGlobal({ seed: 20261125 });

const names = fc.constantFrom('a', 'b', 'c', 'a.b', 'b.c');
const scalars = fc.oneof(
  fc.constantFrom('x', 'y', 'xy', '', 'X', '10.1.2.3', '2001:db8::1', '*'),
  fc.constantFrom(0, 1, 2, 1.5, -1, 5e9, 1e12),
  fc.constantFrom(true, false, null),
);
const texts = fc.constantFrom('x', 'y', 'xy', 'X*', '*y');
const expressions = fc.oneof(
  { weight: 3, arbitrary: scalars },
  fc.record({ prefix: texts }),
  fc.record({ suffix: texts }),
  fc.record({ 'equals-ignore-case': texts }),
  fc.record({ wildcard: texts }),
  { weight: 2, arbitrary: fc.record({ exists: fc.boolean() }) },
  fc.record({ cidr: fc.constantFrom('10.0.0.0/8', '2001:db8::/32') }),
  fc.record({ 'anything-but': fc.oneof(texts, fc.record({ prefix: texts })) }),
  fc.record({ numeric: fc.constantFrom(['=', 1], ['>', 0], ['>=', 0, '<', 2]) }),
);
const broken = fc.constantFrom({ prefix: 1 }, { nope: 1 }, { numeric: [] }, { wildcard: '**' }, [], {}, { a: 1, b: 2 });

/** Patterns of which most are valid. */
const { pattern: patterns } = fc.letrec<{ pattern: object; field: unknown; fields: object }>((tie) => ({
  field: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 20, arbitrary: fc.array(expressions, { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.array(broken, { maxLength: 1 }) },
    { weight: 20, arbitrary: tie('pattern') },
  ),
  fields: fc.dictionary(names, tie('field'), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
  pattern: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: tie('fields') },
    {
      weight: 1,
      arbitrary: fc
        .tuple(tie('fields'), fc.array(tie('fields'), { minLength: 2, maxLength: 3 }))
        .map(([fields, $or]) => ({ ...fields, $or })),
    },
  ),
}));

const { value: events } = fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
  object: fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  value: fc.oneof({ maxDepth: 4 }, scalars, tie('object'), fc.array(tie('value'), { maxLength: 3 })),
}));

/** Events with arrays, and events with dots in names: see `Branch` on what is both. */
const describedEvents = fc.oneof(
  fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    value: fc.oneof({ maxDepth: 4 }, scalars, tie('object'), fc.array(tie('value'), { maxLength: 3 })),
  })).value,
  fc.letrec<{ value: unknown; object: unknown }>((tie) => ({
    object: fc.dictionary(names, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    value: fc.oneof({ maxDepth: 4 }, scalars, tie('object'), fc.array(scalars, { maxLength: 3 })),
  })).value,
);

/** `undefined` when it is no pattern. */
function compiled(pattern: object) {
  try {
    return compileEventPattern(pattern, 'eventbridge');
  } catch (error) {
    assert.ok(error instanceof InvalidPatternError, String(error));
    assert.match(error.message, /^Event pattern is not valid\. Reason: ./);
    return undefined;
  }
}

interface Found {
  readonly value: unknown;
  /** Arrays by number, and which of their elements the value is in. */
  readonly elements: ReadonlyMap<number, number>;
}

/** The values of an event by their paths. Names are joined by dots. */
function flattened(event: unknown): Map<string, Found[]> {
  const found = new Map<string, Found[]>();
  let arrays = 0;
  const enter = (value: unknown, path: string | undefined, elements: ReadonlyMap<number, number>): void => {
    if (Array.isArray(value)) {
      const array = arrays++;
      for (const [index, element] of value.entries()) {
        const inside = typeof element === 'object' && element !== null;
        enter(element, path, inside ? new Map([...elements, [array, index]]) : elements);
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value)) {
        enter(inner, path === undefined ? name : `${path}.${name}`, elements);
      }
    } else if (path !== undefined) found.set(path, [...(found.get(path) ?? []), { value, elements }]);
  };
  enter(event, undefined, new Map());
  return found;
}

/** The pattern's branches as lists of paths and the patterns of one field, in the order of the paths. */
function branchesOf(pattern: object, path: readonly string[] = []): (readonly [string, object])[][] {
  return Object.entries(pattern).reduce<(readonly [string, object])[][]>(
    (branches, [name, value]: [string, object | object[]]) => {
      const more =
        name === '$or'
          ? (value as object[]).flatMap((member) => branchesOf(member, path))
          : Array.isArray(value)
            ? [[[[...path, name].join('.'), value] as const]]
            : branchesOf(value, [...path, name]);
      return branches.flatMap((branch) => more.map((fields) => [...branch, ...fields]));
    },
    [[]],
  );
}

/** Event Ruler's way, without any cleverness: every choice of values is tried. */
function matchesByDescription(pattern: object, event: unknown): boolean {
  const fields = flattened(event);
  const consistent = (one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>): boolean =>
    [...one].every(([array, index]) => (other.get(array) ?? index) === index);
  const attempt = (rest: (readonly [string, object])[], elements: ReadonlyMap<number, number>): boolean => {
    const [first, ...others] = rest;
    if (!first) return true;
    const [path, field] = first;
    const values = (fields.get(path) ?? []).filter((found) => consistent(found.elements, elements));
    const wanted = compileEventPattern({ field }, 'eventbridge');
    if (values.length === 0) return wanted.matches({}) && attempt(others, elements);
    return values.some(
      (found) => wanted.matches({ field: found.value }) && attempt(others, new Map([...elements, ...found.elements])),
    );
  };
  // The last of several fields of a path counts.
  return branchesOf(pattern)
    .map((branch) => [...new Map(branch)].sort(([one], [other]) => (one < other ? -1 : 1)))
    .some((branch) => attempt(branch, new Map()));
}

describe('patterns of any kind', () => {
  it('are taken or refused, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          patterns.map((pattern) => JSON.stringify(pattern)),
        ),
        (text) => {
          for (const dialect of ['eventbridge', 'lambda'] as const) {
            assert.doesNotThrow(() => {
              try {
                compileEventPattern(text, dialect);
              } catch (error) {
                if (!(error instanceof InvalidPatternError)) throw error;
              }
            });
          }
          for (const scope of ['MessageAttributes', 'MessageBody'] as const) {
            assert.doesNotThrow(() => {
              try {
                compileFilterPolicy(text, scope);
              } catch (error) {
                if (!(error instanceof InvalidPatternError)) throw error;
              }
            });
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('match the same as an index of them, when rules come and go', () => {
    let [taken, found] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(patterns, { minLength: 1, maxLength: 30 }),
        fc.array(events, { minLength: 1, maxLength: 10 }),
        fc.array(fc.nat(30)),
        (given, sent, removed) => {
          const index = new RuleIndex<string>();
          const rules = new Map(
            given.flatMap((pattern, number) => {
              const rule = compiled(pattern);
              return rule ? [[`r${number}`, rule] as const] : [];
            }),
          );
          for (const [id, rule] of rules) index.add(id, rule, id);
          taken += rules.size;
          const check = (): void => {
            for (const event of sent) {
              const naive = [...rules].flatMap(([id, rule]) => (rule.matches(event) ? [id] : []));
              found += naive.length;
              assert.deepEqual(index.match(event).sort(), naive.sort());
            }
          };
          check();
          for (const number of removed) {
            rules.delete(`r${number}`);
            index.remove(`r${number}`);
          }
          assert.equal(index.size, rules.size);
          check();
        },
      ),
      { numRuns: 500 },
    );
    assert.ok(taken > 1000 && found > 500, `${taken} patterns, ${found} matches: too few to tell`);
  });

  it('match as the description of AWS says, tried out in full', () => {
    let matched = 0;
    fc.assert(
      fc.property(patterns, fc.array(describedEvents, { minLength: 1, maxLength: 10 }), (pattern, sent) => {
        const rule = compiled(pattern);
        if (!rule) return;
        for (const event of sent) {
          const expected = matchesByDescription(pattern, event);
          assert.equal(rule.matches(event), expected);
          if (expected) matched += 1;
        }
      }),
      { numRuns: 3000 },
    );
    assert.ok(matched > 300, `${matched} matches: too few to tell`);
  });

  it('do not change what they are asked about', () => {
    fc.assert(
      fc.property(patterns, events, (pattern, event) => {
        const before = JSON.stringify([pattern, event]);
        compiled(pattern)?.matches(event);
        assert.equal(JSON.stringify([pattern, event]), before);
      }),
      { numRuns: 500 },
    );
  });
});

/** Steps in time: how much longer twice as much takes. */
function growth(run: (size: number) => void, size: number): number {
  const time = (given: number): number => {
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now();
      run(given);
      return performance.now() - start;
    });
    return Math.min(...times);
  };
  time(size);
  return time(size * 4) / time(size);
}

describe('the time that patterns take', () => {
  const matcher = (pattern: object) => compileEventPattern(pattern, 'eventbridge');

  it('grows with the length of an array, not its square', () => {
    const pattern = matcher({ a: { b: [1], c: [2], d: [{ exists: false }], e: { f: ['x'], g: ['z'] } } });
    const events = new Map(
      [5_000, 20_000].map((size) => [
        size,
        { a: Array.from({ length: size }, () => ({ b: 1, c: 2, e: [{ f: 'x' }, { g: 'y' }] })) },
      ]),
    );
    const ratio = growth((size) => assert.equal(pattern.matches(events.get(size)), false), 5_000);
    assert.ok(ratio < 10, `four times as many took ${ratio.toFixed(1)} times as long`);
  });

  it('is bounded for a long text that a wildcard nearly fits', () => {
    const pattern = matcher({ a: [{ wildcard: '*abcdefgh*abcdefgi*' }] });
    const start = performance.now();
    assert.equal(pattern.matches({ a: 'abcdefg'.repeat(200_000) }), false);
    assert.ok(performance.now() - start < 1000);
  });

  it('is bounded for wildcards that are to be refused or nearly so', () => {
    const start = performance.now();
    const distinct = Array.from({ length: 2000 }, (_, index) => String.fromCodePoint(0x4e00 + index)).join('');
    for (const wildcard of ['*a'.repeat(1000), `*${'ab'.repeat(1000)}`, `*${distinct}*${distinct}`, 'a*'.repeat(4)]) {
      compiled({ a: [{ wildcard }] });
    }
    assert.ok(performance.now() - start < 2000);
  });

  it('is bounded for events that are nested as deep as JSON goes', () => {
    const depth = 100_000;
    const event = { a: JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`) as unknown };
    assert.equal(matcher({ a: [1] }).matches(event), false);
    const objects = JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as unknown;
    assert.equal(matcher({ a: { a: [1] } }).matches(objects), false);
  });
});
