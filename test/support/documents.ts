import { access } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { root, type SourceFile } from './source-files.ts';

/** Links of a Markdown file to files that are not there. */
export async function brokenLinks({ path, text }: SourceFile): Promise<string[]> {
  const prose = text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)[^)]*\)/g)].map(([, target]) => target!);
  const local = targets.filter((target) => !/^(?:[a-z]+:|#)/.test(target)).map((target) => target.split('#')[0]!);
  const missing = await Promise.all(
    local.map(async (target) => {
      const there = await access(join(root, dirname(path), decodeURI(target))).then(
        () => true,
        () => false,
      );
      return there ? [] : [`${path} → ${target}`];
    }),
  );
  return missing.flat();
}

/** Commands in the code of a Markdown file that begin with `npm` or `kobune`: `npm run check`, `kobune up`. */
export function commandsIn({ text }: SourceFile): string[] {
  const code = [...text.matchAll(/```(?:sh|bash|shell|console)?\n([\s\S]*?)```/g)].map(([, block]) => block!);
  const inline = [...text.matchAll(/`([^`\n]+)`/g)].map(([, words]) => words!);
  const lines = [...code.flatMap((block) => block.split('\n')), ...inline].map((line) =>
    line.trim().replace(/^\$ /, ''),
  );
  return lines.flatMap((line) => {
    const [, npm] = /^npm (start|test|run [\w:-]+)/.exec(line) ?? [];
    const [, kobune] = /(?:^|\(|npx )kobune ([a-z]+)/.exec(line) ?? [];
    return [...(npm ? [`npm ${npm}`] : []), ...(kobune ? [`kobune ${kobune}`] : [])];
  });
}
