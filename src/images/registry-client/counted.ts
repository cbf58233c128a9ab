/** The same pieces; `onProgress` is told after each how many bytes were taken. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  onProgress: (current: number) => void,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const piece of source) {
    current += piece.length;
    yield piece;
    onProgress(current);
  }
}
