import { CommandError } from '../../command-error.ts';
import { EXIT } from '../../exit-codes.ts';

/** Where something stands in a file. */
export interface Place {
  /** As it is shown to the user. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** `compose.yaml:12` */
export function showPlace({ file, line }: Place): string {
  return `${file}:${line}`;
}

/** `services.web.ports[0]`, of the names and indices that lead to a value. */
export function showPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** Something in a Compose file, or in a file that it names, is wrong. */
export class ComposeFileError extends CommandError {
  readonly place: Place | undefined;
  constructor(message: string, options: { place?: Place; hint?: string; cause?: unknown } = {}) {
    const { place, hint, cause } = options;
    super(place === undefined ? message : `${showPlace(place)}: ${message}`, { exitCode: EXIT.usage, hint, cause });
    this.name = 'ComposeFileError';
    this.place = place;
  }
}
