import { decompressed } from '../tar/decompress.ts';
import { type TarEntry, TarError } from '../tar/tar-entry.ts';
import { TarReader } from '../tar/tar-reader.ts';

/** A file of an archive. Its content is to be read before the next one is asked for; what is not read is skipped. */
export interface StreamedFile {
  readonly entry: TarEntry;
  readonly content: AsyncIterable<Uint8Array>;
}

type Event = { readonly entry: TarEntry } | { readonly bytes: Uint8Array } | 'end';

/** The files of an archive (plain, gzip or zstd) as it comes. Throws `TarError`. */
export async function* archiveFiles(archive: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedFile> {
  const events = archiveEvents(archive);
  try {
    for (let next = await events.next(); !next.done; next = await events.next()) {
      const event = next.value;
      if (event === 'end' || !('entry' in event)) continue;
      let over = false;
      const content = (async function* () {
        while (!over) {
          const { value } = await events.next();
          if (value === undefined || value === 'end') over = true;
          else if ('bytes' in value) yield value.bytes;
        }
      })();
      yield { entry: event.entry, content };
      // What was not read is skipped.
      while (!over) if ((await content.next()).done) over = true;
    }
  } finally {
    await events.return(undefined);
  }
}

async function* archiveEvents(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Event, undefined> {
  let events: Event[] = [];
  let expected = 0;
  const reader = new TarReader({
    begin: (entry) => {
      expected = 0;
      events.push({ entry });
    },
    write: (bytes, position) => {
      if (position !== expected) throw new TarError('the archive holds a sparse file, which is not supported here');
      expected += bytes.length;
      events.push({ bytes });
    },
    end: () => events.push('end'),
  });
  for await (const chunk of decompressed(archive)) {
    reader.write(chunk);
    const ready = events;
    events = [];
    yield* ready;
  }
  reader.finish();
  yield* events;
  return undefined;
}
