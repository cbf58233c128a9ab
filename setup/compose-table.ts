import { type MemberStanding, memberStandings } from '../src/cli/compose/model/standings.ts';

const SECTIONS: readonly { readonly title: string; readonly key: string | undefined }[] = [
  { title: 'Top level', key: undefined },
  { title: 'Services', key: 'services' },
  { title: 'Networks', key: 'networks' },
  { title: 'Volumes', key: 'volumes' },
  { title: 'Secrets', key: 'secrets' },
  { title: 'Configs', key: 'configs' },
  { title: 'Include', key: 'include' },
];

/** The members of the Compose file as tables of Markdown, by section. */
export function composeTable(): string {
  const all = memberStandings();
  const works = all.filter(({ state }) => state === 'works').length;
  const tables = SECTIONS.map(({ title, key }) => {
    const rows = all.filter(({ path }) => (key === undefined ? path.length === 1 : path[0] === key && path.length > 1));
    return [
      `### ${title}`,
      '',
      '| Member | Status | Notes |',
      '|---|---|---|',
      ...rows.map((row) => show(row, key)),
    ].join('\n');
  });
  return [`${works} of ${all.length} members of the specification work.`, ...tables].join('\n\n');
}

function show({ path, state, note }: MemberStanding, section: string | undefined): string {
  const name = (section === undefined ? path : path.slice(1)).join('.');
  const words = { works: 'works', warned: 'no effect, warned', refused: 'refused' }[state];
  return `| \`${name}\` | ${words} | ${note.replaceAll('|', '\\|')} |`;
}
