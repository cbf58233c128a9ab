/** A message that cannot be read as its schema says. Each protocol has its own error for it. */
export class MalformedInput extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedInput';
  }
}

/** Deepest nesting of structures, lists and maps that is read. */
export const maximumDepth = 100;
