import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { silentLogger } from '../../base/json-logger.ts';
import { openKernel } from '../../network/index.ts';
import type { LogLine, LogOptions } from '../engine.ts';
import { JsonLog } from './json-log.ts';
import { OutputSpool } from './output-spool.ts';
import { readLog } from './read-log.ts';

const kernel = openKernel();
const ALL: LogOptions = { stdout: true, stderr: true, follow: false };

describe('output of a container', { skip: kernel ? false : 'this needs Linux and Node 26.1 or newer' }, () => {
  let directory: string;
  let second = 0;
  const open: OutputSpool[] = [];
  const spoolPath = () => join(directory, 'spool');
  const logPath = () => join(directory, 'x-json.log');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'kobune-spool-'));
    second = 0;
    writeFileSync(spoolPath(), '');
  });
  afterEach(() => {
    for (const spool of open.splice(0)) spool.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** An entry as conmon writes it; each a second later. */
  function entry(text: string, { stream = 'stdout', complete = true } = {}): string {
    const time = new Date(Date.UTC(2026, 0, 1) + second++ * 1000).toISOString().slice(0, 19);
    return `${time}.123456789+00:00 ${stream} ${complete ? 'F' : 'P'} ${text}\n`;
  }

  function start({ maxSizeBytes = -1, maxFiles = 1 } = {}): { spool: OutputSpool; seen: string[]; held: boolean[] } {
    const [seen, held]: [string[], boolean[]] = [[], []];
    const spool = new OutputSpool({
      path: spoolPath(),
      checkpointPath: join(directory, 'checkpoint'),
      kernel: kernel!,
      openLog: (place) => new JsonLog({ path: logPath(), maxSizeBytes, maxFiles }, place),
      onOutput: ({ stream, bytes }) => seen.push(`${stream} ${bytes}`),
      congested: () => false,
      hold: (isHeld) => held.push(isHeld),
      logger: silentLogger,
    });
    open.push(spool);
    return { spool, seen, held };
  }

  async function lines(options: Partial<LogOptions> = {}, maxFiles = 1, live?: JsonLog): Promise<string[]> {
    const texts: string[] = [];
    for await (const { stream, bytes } of readLog(logPath(), maxFiles, live, { ...ALL, ...options })) {
      texts.push(`${stream} ${Buffer.from(bytes)}`);
    }
    return texts;
  }

  it('becomes lines as Docker writes them', async () => {
    appendFileSync(spoolPath(), entry('one "quoted"') + entry('two', { stream: 'stderr' }));
    const { spool } = start();
    spool.catchUp();
    assert.equal(
      readFileSync(logPath(), 'utf8'),
      '{"log":"one \\"quoted\\"\\n","stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"}\n' +
        '{"log":"two\\n","stream":"stderr","time":"2026-01-01T00:00:01.123456789Z"}\n',
    );
  });

  it('puts parts together, each stream by itself, and shows them as they come', async () => {
    const { spool, seen } = start();
    const part = { complete: false };
    appendFileSync(spoolPath(), entry('a', part) + entry('x', { stream: 'stderr', complete: false }) + entry('b'));
    appendFileSync(spoolPath(), entry('', { stream: 'stderr' }) + entry('end', part));
    spool.catchUp();
    assert.deepEqual(seen, ['stdout a', 'stderr x', 'stdout b\n', 'stderr \n', 'stdout end']);
    assert.deepEqual(await lines(), ['stdout ab\n', 'stderr x\n']);
    await spool.finish();
    assert.deepEqual(await lines(), ['stdout ab\n', 'stderr x\n', 'stdout end']);
  });

  it('cuts lines at 16 KiB', async () => {
    const { spool } = start();
    const long = 'x'.repeat(20_000);
    appendFileSync(spoolPath(), entry(long.slice(0, 8000), { complete: false }));
    appendFileSync(spoolPath(), entry(long.slice(8000, 16_000), { complete: false }) + entry(long.slice(16_000)));
    spool.catchUp();
    assert.deepEqual(
      (await lines()).map(({ length }) => length - 'stdout '.length),
      [16_384, 20_001 - 16_384],
    );
  });

  it('goes on where it was, with nothing missing and nothing twice', async () => {
    const script = Array.from({ length: 300 }, (_, i) =>
      entry(`line ${i}`, { complete: i % 7 !== 3, stream: i % 5 === 0 ? 'stderr' : 'stdout' }),
    );
    // Read all at once, for comparison.
    appendFileSync(spoolPath(), script.join(''));
    await start().spool.finish();
    const expected = await lines();
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    writeFileSync(spoolPath(), '');
    const bytes = Buffer.from(script.join(''));
    for (let offset = 0; offset < bytes.length; offset += 997) {
      appendFileSync(spoolPath(), bytes.subarray(offset, offset + 997));
      const { spool } = start();
      spool.catchUp();
      // As a kill would: what was written behind the checkpoint counts for nothing.
      spool.close();
      appendFileSync(logPath(), '{"log":"half a li');
    }
    await start().spool.finish();
    assert.deepEqual(await lines(), expected);
  });

  it('goes on after a kill between a rotation and what follows it', async () => {
    const options = { maxSizeBytes: 1000, maxFiles: 10 };
    appendFileSync(spoolPath(), Array.from({ length: 50 }, (_, i) => entry(`line ${i}`)).join(''));
    const { spool } = start(options);
    spool.catchUp();
    spool.close();
    // The rotation was done; that it was, and what was written into the new file, is not noted yet.
    renameSync(logPath(), `${logPath()}.renamed`);
    const before = readdirSync(directory)
      .filter((name) => /log\.\d$/.test(name))
      .sort()
      .reverse();
    for (const name of before)
      renameSync(
        join(directory, name),
        join(
          directory,
          name.replace(/\d$/, (n) => String(Number(n) + 1)),
        ),
      );
    renameSync(`${logPath()}.renamed`, `${logPath()}.1`);
    writeFileSync(logPath(), '{"log":"too early\\n","stream":"stdout","time":"2026-01-01T00:00:00.000000000Z"}\n');
    appendFileSync(spoolPath(), entry('line 50'));
    await start(options).spool.finish();
    assert.deepEqual(
      await lines({}, 10),
      Array.from({ length: 51 }, (_, i) => `stdout line ${i}\n`),
    );
  });

  it('is rotated by size, and the oldest goes', async () => {
    const { spool } = start({ maxSizeBytes: 2000, maxFiles: 3 });
    appendFileSync(spoolPath(), Array.from({ length: 200 }, (_, i) => entry(`line ${i}`)).join(''));
    await spool.finish();
    const files = readdirSync(directory)
      .filter((name) => name.startsWith('x-json.log'))
      .sort();
    assert.deepEqual(files, ['x-json.log', 'x-json.log.1', 'x-json.log.2']);
    for (const name of files) assert.ok(statSync(join(directory, name)).size < 2100, name);
    const kept = await lines({}, 3);
    assert.equal(kept.at(-1), 'stdout line 199\n');
    assert.deepEqual(
      kept,
      Array.from({ length: kept.length }, (_, i) => `stdout line ${200 - kept.length + i}\n`),
    );
  });

  it('follows conmon to a new spool', async () => {
    const { spool, seen } = start();
    appendFileSync(spoolPath(), entry('in the old one'));
    renameSync(spoolPath(), join(directory, 'old'));
    writeFileSync(spoolPath(), entry('in the new one'));
    spool.catchUp();
    assert.deepEqual(seen, ['stdout in the old one\n', 'stdout in the new one\n']);
    assert.deepEqual(await lines(), ['stdout in the old one\n', 'stdout in the new one\n']);
  });

  it('frees what was read, and holds the writer while too much waits', async () => {
    const { spool, held } = start();
    const chunk = Array.from({ length: 10_000 }, () => entry('x'.repeat(200))).join('');
    for (let i = 0; i < 20; i++) appendFileSync(spoolPath(), chunk);
    // The event loop is given the time that a slice leaves it.
    while (!held.includes(true)) await new Promise((resolve) => setTimeout(resolve, 1));
    while (held.at(-1)) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(held, [true, false]);
    await spool.finish();
    const { size, blocks } = statSync(spoolPath());
    assert.ok(size > 48_000_000 && blocks * 512 < 8_000_000, `${size} ${blocks * 512}`);
    assert.equal((await lines({ tail: 1 })).length, 1);
  });

  describe('is read', () => {
    let spool: OutputSpool;
    beforeEach(() => {
      appendFileSync(
        spoolPath(),
        Array.from({ length: 100 }, (_, i) => entry(`line ${i}`, { stream: i % 2 ? 'stderr' : 'stdout' })).join(''),
      );
      spool = start({ maxSizeBytes: 3000, maxFiles: 9 }).spool;
      spool.catchUp();
    });

    it('from the end', async () => {
      for (const tail of [0, 1, 2, 30, 55, 99, 100, 1000]) {
        const texts = await lines({ tail }, 9);
        assert.equal(texts.length, Math.min(tail, 100));
        if (tail > 0) assert.ok(texts.at(-1)!.endsWith('line 99\n'));
      }
    });

    it('of one stream', async () => {
      assert.equal((await lines({ stderr: false }, 9)).length, 50);
      assert.ok((await lines({ stdout: false }, 9)).every((line) => line.startsWith('stderr')));
    });

    it('between two times', async () => {
      const start = Date.UTC(2026, 0, 1) / 1000;
      const texts = await lines({ since: start + 10, until: start + 12.2 }, 9);
      assert.deepEqual(texts, ['stdout line 10\n', 'stderr line 11\n', 'stdout line 12\n']);
    });

    it('while it is written, over rotations, until its end', async () => {
      const texts: string[] = [];
      const reading = (async () => {
        for await (const { bytes } of readLog(logPath(), 9, spool.log, {
          ...ALL,
          follow: true,
          tail: 1,
        }) as AsyncIterable<LogLine>) {
          texts.push(Buffer.from(bytes).toString());
        }
      })();
      for (let i = 100; i < 300; i += 20) {
        appendFileSync(spoolPath(), Array.from({ length: 20 }, (_, j) => entry(`line ${i + j}`)).join(''));
        spool.catchUp();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await spool.finish();
      await reading;
      assert.deepEqual(
        texts,
        Array.from({ length: 201 }, (_, i) => `line ${99 + i}\n`),
      );
    });

    it('until it is left', async () => {
      const leaving = new AbortController();
      const reading = (async () => {
        for await (const _ of readLog(logPath(), 9, spool.log, { ...ALL, follow: true, signal: leaving.signal })) {
          // Only the end counts.
        }
      })();
      setImmediate(() => leaving.abort());
      await reading;
      assert.ok(leaving.signal.aborted);
    });
  });
});
