import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CreateBucketCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const PROGRAM = join(import.meta.dirname, '../../src/cli/kobune.ts');

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function kobune(...words: readonly string[]): Promise<Result> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:KOBUNE|AWS)_/.test(name)));
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...words], { env, timeout: 30_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? Number.NaN), out, err }),
    );
  });
}

/** Starts one, lets `use` work with it, ends it. */
async function running<Value>(data: string, use: (s3: S3Client, pid: number) => Promise<Value>): Promise<Value> {
  const up = await kobune('up', '--detach', '--port', '0', '--data', data, '--json');
  assert.equal(up.code, 0, up.err);
  const { endpoint, pid } = JSON.parse(up.out);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const s3 = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  try {
    return await use(s3, pid);
  } finally {
    s3.destroy();
    await kobune('down', '--data', data);
  }
}

let scratch: string;
/** A data directory with something in it, of which each test damages a copy. */
let whole: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kobune-start-'));
  whole = join(scratch, 'whole');
  await running(whole, async (s3) => {
    await s3.send(new CreateBucketCommand({ Bucket: 'kept' }));
    for (let i = 0; i < 40; i++) {
      await s3.send(new PutObjectCommand({ Bucket: 'kept', Key: `k${i}`, Body: Buffer.alloc(2_000, i) }));
    }
  });
});
after(() => rm(scratch, { recursive: true, force: true }));

function copy(name: string): string {
  const data = join(scratch, name);
  cpSync(whole, data, { recursive: true });
  return data;
}

const storeOf = (data: string) => join(data, 'store', 'data.mdb');

/** Both ways of starting say the same, end with 1, and leave no lock that would keep the next from starting. */
async function refusesToStart(data: string, reason: RegExp): Promise<void> {
  for (const how of [['--detach'], []]) {
    const up = await kobune('up', ...how, '--port', '0', '--data', data);
    assert.equal(up.code, 1, up.err);
    assert.match(up.err, reason);
    assert.match(up.err, /\n {2}\S/, 'it says what to do');
    assert.doesNotMatch(up.err, /\n {4}at /, 'no stack trace');
  }
  assert.equal((await kobune('status', '--data', data)).code, 3);
}

describe('a store that is damaged', () => {
  it('at its beginning is told, not overwritten', async () => {
    const data = copy('beginning');
    const bytes = readFileSync(storeOf(data));
    randomBytes(8_192).copy(bytes);
    writeFileSync(storeOf(data), bytes);
    await refusesToStart(data, /the store is damaged: .*data\.mdb: it does not begin as an LMDB file does/);
    assert.deepEqual(readFileSync(storeOf(data)), bytes);
  });

  it('by being cut short is told', async () => {
    const data = copy('short');
    truncateSync(storeOf(data), 12_000);
    await refusesToStart(data, /the store is damaged/);
  });

  it('in its middle is told', async () => {
    const data = copy('middle');
    const bytes = readFileSync(storeOf(data));
    randomBytes(bytes.length - 16_384).copy(bytes, 16_384);
    writeFileSync(storeOf(data), bytes);
    await refusesToStart(data, /the store is damaged/);
  });

  it('by being something else is told', async () => {
    const data = copy('else');
    writeFileSync(storeOf(data), 'this is not a store\n'.repeat(1_000));
    await refusesToStart(data, /the store is damaged/);
    const garbled = copy('format');
    writeFileSync(join(garbled, 'store', 'format'), 'many\n');
    await refusesToStart(garbled, /the store is damaged: .*format: it should hold the number of a format/);
  });
});

describe('a data directory', () => {
  it('of a newer format is refused and left alone', async () => {
    const data = copy('newer');
    writeFileSync(join(data, 'store', 'format'), '999\n');
    const before = readFileSync(storeOf(data));
    await refusesToStart(data, /has format 999, written by a newer version of this program/);
    assert.deepEqual(readFileSync(storeOf(data)), before);
  });

  it('that is in use by another Kobune is refused with 4, and the other goes on', async () => {
    await running(whole, async (s3, pid) => {
      for (const how of [['--detach'], []]) {
        const second = await kobune('up', ...how, '--port', '0', '--data', whole);
        assert.equal(second.code, 4);
        assert.match(
          second.err,
          new RegExp(`is in use by another Kobune \\(process ${pid}, http://127\\.0\\.0\\.1:\\d+\\)`),
        );
      }
      assert.equal((await s3.send(new ListObjectsV2Command({ Bucket: 'kept' }))).KeyCount, 40);
    });
  });

  it('that cannot be one is refused', async () => {
    const file = join(scratch, 'file');
    writeFileSync(file, 'a file');
    for (const data of [file, join(file, 'below')]) {
      for (const how of [['--detach'], []]) {
        const up = await kobune('up', ...how, '--port', '0', '--data', data);
        assert.equal(up.code, 1);
        assert.match(
          up.err,
          /^kobune: the data directory \S+ cannot be used: (?:it|a part of its path) is a file\n {2}\S/,
        );
      }
    }
    assert.equal(readFileSync(file, 'utf8'), 'a file');
  });
});

describe('a port that is in use', () => {
  it('is told with 4, and the data directory can be used afterwards', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    try {
      for (const how of [['--detach'], []]) {
        const up = await kobune('up', ...how, '--port', String(port), '--data', whole);
        assert.equal(up.code, 4);
        assert.match(up.err, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use by another program`));
      }
    } finally {
      taken.close();
    }
    await running(whole, async (s3) => {
      assert.equal((await s3.send(new ListObjectsV2Command({ Bucket: 'kept' }))).KeyCount, 40);
    });
  });
});
