import { readFileSync } from 'node:fs';
import { InsidePathError, resolveInside } from './inside.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Larger files of accounts are not read. */
const MAX_SIZE = 16 << 20;
const MAX_ID = 0xffff_fffe;

/**
 * Finds who `user[:group]` is in the `/etc/passwd` and `/etc/group` of a root. A user's name without a group has the group
 * that the password file says; a number without one has the same number as its group. Throws an error that says what is missing.
 * Source: "COPY --chown" of the Dockerfile reference.
 */
export function lookUpOwner(root: string, text: string): Owner {
  const [user = '', group, ...rest] = text.split(':');
  if (rest.length > 0 || user === '') throw new Error(`invalid user "${text}": user[:group] is expected`);
  const { uid, gid } = lookUpUser(root, user);
  return { uid, gid: group === undefined || group === '' ? gid : lookUpGroup(root, group) };
}

/** Whether the text has names that must be looked up. */
export function namesAccounts(text: string): boolean {
  return text.split(':').some((part) => part !== '' && numeric(part) === undefined);
}

function lookUpUser(root: string, user: string): Owner {
  const id = numeric(user);
  if (id !== undefined) return { uid: id, gid: id };
  for (const [name, , uid = '', gid = ''] of records(root, '/etc/passwd')) {
    if (name === user) return { uid: numeric(uid) ?? 0, gid: numeric(gid) ?? 0 };
  }
  throw new Error(`unable to find user ${user}: no matching entries in passwd file`);
}

function lookUpGroup(root: string, group: string): number {
  const id = numeric(group);
  if (id !== undefined) return id;
  for (const [name, , gid = ''] of records(root, '/etc/group')) {
    if (name === group) return numeric(gid) ?? 0;
  }
  throw new Error(`unable to find group ${group}: no matching entries in group file`);
}

function records(root: string, path: string): string[][] {
  try {
    const { path: file, stats } = resolveInside(root, path);
    if (!stats?.isFile() || stats.size > MAX_SIZE) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.map((line) => line.split(':'));
  } catch (error) {
    if (error instanceof InsidePathError) return [];
    throw error;
  }
}

function numeric(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}
