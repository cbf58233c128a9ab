/** A pattern that does not parse, or asks for what its language does not have. The message is for the pattern's author. */
export class InvalidPatternError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidPatternError';
  }
}
