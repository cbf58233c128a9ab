import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { CommandError } from './command-error.ts';
import { EXIT } from './exit-codes.ts';

export interface FileSetting {
  readonly key: string;
  readonly value: unknown;
  /** `/path/kobune.yaml:3` */
  readonly where: string;
}

/** The settings in the text of a `kobune.yaml`, with the line that each is on. Throws a `CommandError` naming the line. */
export function readSettingsFile(source: string, path: string): FileSetting[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines });
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  const [problem] = document.errors;
  if (problem) {
    const [reason = 'not valid YAML'] = problem.message.split('\n');
    throw new CommandError(`${at(problem.pos[0])}: ${reason.replace(/ at line \d+, column \d+:?$/, '')}`, {
      exitCode: EXIT.usage,
    });
  }
  if (document.contents === null) return [];
  if (!isMap(document.contents)) {
    throw new CommandError(`${path}:1: a configuration file holds "setting: value" lines`, { exitCode: EXIT.usage });
  }
  return document.contents.items.map(({ key, value }) => {
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    const json = value !== null && typeof value === 'object' && 'toJSON' in value ? value : null;
    return {
      key: String(isScalar(key) ? key.value : key),
      value: json === null ? null : (json as { toJSON(): unknown }).toJSON(),
      where: at(offset),
    };
  });
}
