import type { OutputLine } from './output-lines.ts';

export interface SourceLine {
  readonly source: string;
  readonly line: OutputLine;
}

/** Lines of several logs in the order of their times; each log is in order itself. */
export async function* mergedByTime(
  sources: ReadonlyMap<string, AsyncIterable<OutputLine>>,
): AsyncGenerator<SourceLine> {
  const heads: { source: string; iterator: AsyncIterator<OutputLine>; line: OutputLine }[] = [];
  const started = await Promise.all(
    [...sources].map(async ([source, lines]) => {
      const iterator = lines[Symbol.asyncIterator]();
      return { source, iterator, first: await iterator.next() };
    }),
  );
  for (const { source, iterator, first } of started)
    if (first.done !== true) heads.push({ source, iterator, line: first.value });
  while (heads.length > 0) {
    const earliest = heads.reduce((one, other) => (other.line.timestamp < one.line.timestamp ? other : one));
    yield { source: earliest.source, line: earliest.line };
    const next = await earliest.iterator.next();
    if (next.done === true) heads.splice(heads.indexOf(earliest), 1);
    else earliest.line = next.value;
  }
}
