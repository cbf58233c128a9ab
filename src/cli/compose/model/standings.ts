import { composeFile } from './compose-file.ts';
import type { Member } from './member.ts';

/** What Kobune does with one member of the Compose file. */
export interface MemberStanding {
  /** Names from the top, such as `services`, `build`, `args`. Names that the user chooses are left out. */
  readonly path: readonly string[];
  readonly state: 'works' | 'warned' | 'refused';
  readonly note: string;
}

/** Every member of the specification, in the order of the alphabet. Members of what is refused are not listed. */
export function memberStandings(): MemberStanding[] {
  return below(composeFile.members, []);
}

function below(members: Member<never>['members'], path: readonly string[]): MemberStanding[] {
  return Object.entries(members ?? {})
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([name, member]) => {
      const here = [...path, name];
      const own = standingOf(member);
      return [{ path: here, ...own }, ...(own.state === 'works' ? below(member.members, here) : [])];
    });
}

function standingOf({ standing, note = '' }: Member<never>): Omit<MemberStanding, 'path'> {
  if (standing === undefined) return { state: 'works', note };
  return 'refused' in standing
    ? { state: 'refused', note: standing.refused }
    : { state: 'warned', note: standing.warned };
}
