import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { emptyNames, importViolations, loadedWith, roomCycles } from './support/architecture.ts';
import { filesMatching, type SourceFile } from './support/source-files.ts';
import { forbiddenWords } from './support/wording.ts';

describe('the architecture', () => {
  let files: SourceFile[];
  before(async () => {
    files = await filesMatching('src/**/*.ts');
  });

  it('imports go down the layers, and into another room only through its index', () => {
    assert.deepEqual(importViolations(files), []);
  });

  it('rooms do not depend on each other in a circle', () => {
    assert.deepEqual(roomCycles(files), []);
  });

  it('the start loads no engine, and no package that can wait', () => {
    const loaded = [...loadedWith('src/main.ts', files)];
    const engines = /^src\/(?:functions|containers|images|docker|network(?!\/addresses\b))\//;
    assert.deepEqual(
      loaded.filter((path) => engines.test(path)),
      [],
    );
    assert.deepEqual(loaded.filter((path) => !path.startsWith('src/')).sort(), [
      'lmdb',
      'msgpackr',
      'package.json',
      'saxes',
      'yauzl',
    ]);
  });

  it('folders have names that say what is in them', async () => {
    const all = await filesMatching('{src,test,bench,setup,examples,docs}/**/*');
    assert.deepEqual(emptyNames(all.map(({ path }) => path)), []);
  });

  it('the text tells what the project is, not how it was made', async () => {
    const all = await filesMatching(
      '{*,{src,test,bench,setup,examples,docs,.ci}/**/*}.{ts,mjs,js,py,json,md,yaml,yml}',
    );
    assert.deepEqual(forbiddenWords(all.filter(({ path }) => !path.endsWith('package-lock.json'))), []);
  });
});

describe('the rules of the architecture', () => {
  const violations = (path: string, text: string) => importViolations([{ path, text }]);

  it('find an import that goes up', () => {
    assert.deepEqual(violations('src/store/x.ts', "import { a } from '../services/index.ts';"), [
      'src/store/x.ts imports src/services/index.ts: services is above store',
    ]);
    assert.equal(violations('src/events/x.ts', "import type { A } from '../aws/index.ts';").length, 1);
    assert.equal(violations('src/base/x.ts', "export * from '../store/index.ts';").length, 1);
    assert.equal(violations('src/functions/x.ts', "const a = await import('../events/index.ts');").length, 1);
  });

  it('find an import that goes around an index', () => {
    assert.equal(violations('src/aws/x.ts', "import { a } from '../store/store.ts';").length, 1);
    assert.equal(violations('src/services/s3/x.ts', "import { a } from '../../events/delivery.ts';").length, 1);
  });

  it('find a service that knows another', () => {
    assert.deepEqual(violations('src/services/s3/x.ts', "import { a } from '../lambda/index.ts';"), [
      'src/services/s3/x.ts imports src/services/lambda/index.ts: services/s3 may not know services/lambda',
    ]);
  });

  it('find code that reaches for the wiring or outside the source', () => {
    assert.equal(violations('src/gateway/x.ts', "import { a } from '../main.ts';").length, 1);
    assert.equal(violations('src/gateway/x.ts', "import { a } from '../../test/support/architecture.ts';").length, 1);
  });

  it('find rooms that depend on each other', () => {
    const files = [
      { path: 'src/aws/a.ts', text: "import type { A } from '../gateway/index.ts';" },
      { path: 'src/gateway/b.ts', text: "import type { B } from '../aws/index.ts';" },
    ];
    assert.deepEqual(roomCycles(files), ['aws → gateway → aws', 'gateway → aws → gateway']);
  });

  it('allow what goes down, and comments that mention an import', () => {
    assert.deepEqual(violations('src/services/s3/x.ts', "import { a } from '../../store/index.ts';"), []);
    assert.deepEqual(violations('src/services/s3/x.ts', "import type { A } from '../service.ts';"), []);
    assert.deepEqual(violations('src/main.ts', "import { a } from './store/lmdb-store.ts';"), []);
    assert.deepEqual(violations('src/store/x.ts', "// import { a } from '../services/index.ts';"), []);
  });

  it('find folders without meaning', () => {
    assert.deepEqual(emptyNames(['src/store/utils/x.ts', 'src/store/drivers/y.ts']), ['src/store/utils']);
  });

  it('find words about the making and paths of one machine', () => {
    const machine = ['', 'work', 'main', 'src'].join('/');
    assert.deepEqual(forbiddenWords([{ path: 'a.md', text: `fine\nsee ${machine}` }]), [`a.md:2: see ${machine}`]);
  });
});
