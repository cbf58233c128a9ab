import { readFileSync } from 'node:fs';
import { parseEnvFile } from '../file/env-file.ts';
import type { Variables } from '../file/interpolation.ts';
import { ComposeFileError } from '../file/place.ts';

/** Variables of the shell, and behind them those of environment files, of which the later win. */
export function withEnvFiles(files: readonly string[], outer: Variables, show: (file: string) => string): Variables {
  const values = files.reduce(
    (earlier, file) => parseEnvFile(readText(file, show), show(file), outer, earlier),
    new Map<string, string>(),
  );
  return (name) => outer(name) ?? values.get(name);
}

/** The text of a file that a Compose file or the command line names. */
export function readText(file: string, show: (file: string) => string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a directory' : String(code);
    throw new ComposeFileError(`cannot read ${show(file)}: ${reason}`, { cause: error });
  }
}
