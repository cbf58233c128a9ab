/** What a target is to be sent was described wrongly. The message is for whoever configured the target. */
export class InvalidInputError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidInputError';
  }
}
