import { PassThrough, pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { invalid } from '../shapes/shape.ts';

const MAGIC: readonly {
  readonly name: string;
  readonly bytes: readonly number[];
  readonly reader?: () => Transform;
}[] = [
  { name: 'gzip', bytes: [0x1f, 0x8b], reader: createGunzip },
  { name: 'zstd', bytes: [0x28, 0xb5, 0x2f, 0xfd], reader: createZstdDecompress },
  { name: 'bzip2', bytes: [0x42, 0x5a, 0x68] },
  { name: 'xz', bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
];

/** An uploaded archive as plain tar, whether it came plain, with gzip or with zstd. Refuses what else archives are compressed with. */
export async function* uncompressed(source: Readable): AsyncGenerator<Buffer> {
  const chunks = source.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < 5) {
    const { done, value } = await chunks.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  const rest = async function* (): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    yield* chunks;
  };
  const found = MAGIC.find(({ bytes }) => bytes.every((byte, index) => head[index] === byte));
  if (found === undefined) {
    yield* rest();
    return;
  }
  if (found.reader === undefined) {
    throw invalid(`archives compressed with ${found.name} are not supported: plain, gzip and zstd are`);
  }
  const out = new PassThrough();
  // The error reaches whoever reads `out`.
  pipeline(Readable.from(rest()), found.reader(), out, () => {});
  try {
    yield* out;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw code.startsWith('Z_') || code.startsWith('ZSTD')
      ? invalid(`the archive cannot be read: ${found.name} data is damaged`)
      : error;
  }
}
