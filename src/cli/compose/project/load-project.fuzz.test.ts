// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Compose files write variables like this
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseEnvFile } from '../file/env-file.ts';
import { InterpolationError, interpolate } from '../file/interpolation.ts';
import { ComposeFileError } from '../file/place.ts';
import { splitWords } from '../model/command-words.ts';
import { loadText } from '../testing/test-project.ts';
import { renderProject } from './render-project.ts';

const RUNS = { numRuns: 300, seed: 11 };

const SAMPLE = `
name: sample
x-base: &base {image: "x:\${TAG:-1}", environment: {A: "1"}}
services:
  web:
    <<: *base
    build: {context: ., args: [A=1], ulimits: {nofile: 3}}
    ports: ["80:80", {target: 81, published: "82-85"}]
    volumes: ["./a:/a:ro", "data:/d", {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]
    depends_on: {db: {condition: service_healthy}}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 50M}}}
    networks: {default: {aliases: [b]}, n: }
    command: sh -c "a 'b' c"
    logging: {options: {max-size: 1m}}
    extra_hosts: ["h:1.2.3.4"]
  db: {extends: web, build: !reset {}, depends_on: !override [], image: y, healthcheck: {test: [CMD, a], interval: 1m30s}}
networks: {n: {internal: true, ipam: {config: [{subnet: 10.0.0.0/24}]}}}
volumes: {data: {driver_opts: {a: 1}}}
secrets: {s: {environment: S}}
configs: {c: {content: hi}}
`;

/** Pieces that a file may be spoilt with. */
const PIECES = [
  '${',
  '}',
  '$',
  '*',
  '&a',
  '!reset ',
  '!override ',
  '<<: ',
  '- ',
  ': ',
  '{',
  '[',
  '"',
  "'",
  '\t',
  '\n',
  '0',
  '-1',
  '~',
  'null',
  'é',
  '\u0000',
  '[[[[',
  '1e999',
  '0x',
  '__proto__: ',
  '? ',
];

describe('a Compose file that was spoilt', () => {
  const spoilt = fc
    .array(fc.tuple(fc.nat(SAMPLE.length), fc.nat(12), fc.constantFrom(...PIECES)), { minLength: 1, maxLength: 4 })
    .map((edits) =>
      edits.reduce((text, [at, removed, piece]) => text.slice(0, at) + piece + text.slice(at + removed), SAMPLE),
    );

  it('is read or refused, with the place and without a crash', () => {
    fc.assert(
      fc.property(spoilt, (text) => {
        try {
          renderProject(loadText(text).project);
        } catch (error) {
          assert.ok(error instanceof ComposeFileError, `${String((error as Error).stack)}\n${text}`);
        }
      }),
      RUNS,
    );
  });

  it('does not reach what is not its own', () => {
    const { project } = loadText(
      'services: {web: {image: x, labels: {__proto__: "1", constructor: "2"}, environment: ["__proto__=3"]}}',
    );
    const { labels, environment } = project.services.get('web')!;
    assert.deepEqual(
      [labels?.get('__proto__'), labels?.get('constructor'), environment.get('__proto__')],
      ['1', '2', '3'],
    );
    assert.equal(({} as Record<string, unknown>)['1'], undefined);
    assert.throws(() => loadText('services: {web: {image: x, __proto__: {a: 1}}}'), {
      message: /__proto__ is not a Compose member/,
    });
    assert.throws(() => loadText('services: {web: {image: x, constructor: 1}}'), {
      message: /constructor is not a Compose member/,
    });
  });
});

describe('texts of any kind', () => {
  const text = fc.string({ unit: fc.constantFrom(...'$${}:-?+aB_1"\'\\ #=\n\té'), maxLength: 40 });
  const lookup = (name: string) => (name.length % 2 === 0 ? undefined : 'value');

  it('are interpolated or refused', () => {
    fc.assert(
      fc.property(text, (value) => {
        try {
          interpolate(value, lookup);
        } catch (error) {
          assert.ok(error instanceof InterpolationError, String(error));
        }
      }),
      RUNS,
    );
  });

  it('without dollar signs stay as they are, and with doubled ones, too', () => {
    fc.assert(
      fc.property(fc.string(), (value) => assert.equal(interpolate(value.replaceAll('$', '$$$$'), lookup), value)),
      RUNS,
    );
  });

  it('are environment files, or refused with their line', () => {
    fc.assert(
      fc.property(text, (value) => {
        try {
          parseEnvFile(value, 'f.env', lookup);
        } catch (error) {
          assert.ok(error instanceof ComposeFileError, String(error));
          assert.match(error.message, /^f\.env:\d+: /);
        }
      }),
      RUNS,
    );
  });

  it('are words again when they were quoted', () => {
    const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => assert.deepEqual(splitWords(words.map(quoted).join(' ')), words)),
      RUNS,
    );
  });
});
