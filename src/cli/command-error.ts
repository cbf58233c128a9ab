import { UserError } from '../base/errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** An error with the exit status that the command ends with. */
export class CommandError extends UserError {
  readonly exitCode: ExitCode;
  constructor(message: string, options: { hint?: string; exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = options.exitCode ?? EXIT.failure;
  }
}
