import type { SourceFile } from './source-files.ts';

/**
 * Words that say how the project was made instead of what it is, and paths of one machine. Written in pieces, so that
 * this list does not find itself.
 */
const FORBIDDEN: readonly RegExp[] = [
  new RegExp(`/${'work'}/(?:main|shared)\\b`),
  new RegExp(`(?<![\\w}])/${'home'}/(?!user\\b|runner\\b|you\\b|sbx)[a-z]+/`),
  new RegExp(
    `\\b(?:${['lang', 'uage model'].join('')}|${['cha', 'tgpt'].join('')}|${['clau', 'de'].join('')}|${['an', 'thropic'].join('')}|${['copi', 'lot'].join('')})\\b`,
    'i',
  ),
  new RegExp(
    `\\b(?:${['issue', ' #?\\d+'].join('')}|${['as per', ' the brief'].join('')}|${['in this', ' session'].join('')})\\b`,
    'i',
  ),
  new RegExp(`\\b(?:${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|${['X', 'XX'].join('')})\\b`),
];

/** Where these files use such words, as `path:line: text`. */
export function forbiddenWords(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        FORBIDDEN.some((pattern) => pattern.test(line)) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
      ),
  );
}
