import { ServiceError } from '../../base/errors.ts';
import type { Kernel } from '../../network/index.ts';
import { readInRoot } from './in-root.ts';

/** Who a process inside is. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

const MAXIMUM_FILE = 4 * 1024 * 1024;
/** The largest that a 32-bit signed ID can be, as Docker takes it. */
const MAXIMUM_ID = 2 ** 31 - 1;

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * What `user` means in the root's own `/etc/passwd` and `/etc/group`: `name`, `uid`, `name:group`, `uid:gid`, … Numbers need no entry.
 * Throws `CannotStart` for a name that is not there. Source: Dockerfile reference, "USER"; `docker run --user`.
 */
export function lookUpAccount(kernel: Kernel, root: string, user: string, groups: readonly string[] = []): Account {
  const [userPart = '', groupPart = ''] = user.split(':', 2);
  const users = parseUsers(readInRoot(kernel, root, '/etc/passwd', MAXIMUM_FILE) ?? '');
  const known = parseGroups(readInRoot(kernel, root, '/etc/group', MAXIMUM_FILE) ?? '');
  const found = findUser(users, userPart || '0');
  const uid = found?.uid ?? numberOf(userPart || '0');
  if (uid === undefined) {
    throw new ServiceError('CannotStart', `unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const groupId = (group: string): number => {
    const gid = known.find(({ name }) => name === group)?.gid ?? numberOf(group);
    if (gid === undefined) {
      throw new ServiceError('CannotStart', `unable to find group ${group}: no matching entries in group file`);
    }
    return gid;
  };
  const memberships = found && groupPart === '' ? known.filter(({ members }) => members.includes(found.name)) : [];
  return {
    uid,
    gid: groupPart === '' ? (found?.gid ?? 0) : groupId(groupPart),
    additionalGids: [...new Set([...memberships.map(({ gid }) => gid), ...groups.map(groupId)])],
    home: found?.home ?? '/',
  };
}

/** A name wins over a number that looks like it. */
function findUser(users: readonly User[], wanted: string): User | undefined {
  const number = numberOf(wanted);
  return users.find(({ name }) => name === wanted) ?? users.find(({ uid }) => uid === number);
}

function numberOf(text: string): number | undefined {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  return number !== undefined && number <= MAXIMUM_ID ? number : undefined;
}

const fieldsOf = (text: string): string[][] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

function parseUsers(text: string): User[] {
  return fieldsOf(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) => {
    const [userId, groupId] = [numberOf(uid), numberOf(gid)];
    return name && userId !== undefined ? [{ name, uid: userId, gid: groupId ?? 0, home: home || '/' }] : [];
  });
}

function parseGroups(text: string): Group[] {
  return fieldsOf(text).flatMap(([name = '', , gid = '', members = '']) => {
    const id = numberOf(gid);
    return name && id !== undefined ? [{ name, gid: id, members: members.split(',').filter(Boolean) }] : [];
  });
}
