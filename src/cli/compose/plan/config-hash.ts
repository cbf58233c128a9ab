import { createHash } from 'node:crypto';
import type { Network, Volume } from '../model/resources.ts';
import type { ProjectService } from '../project/project.ts';
import { renderService } from '../project/render-project.ts';

/** A service's file that is put into its containers, with what is in it. */
export interface GrantedFile {
  readonly target: string;
  readonly content: string;
}

/**
 * A digest of what a service's containers are made of: when it changes, they are made anew. How an image is got, how many containers there
 * are and in which order they start makes no difference. `files` are those that are copied in.
 */
export function serviceHash(service: ProjectService, files: readonly GrantedFile[] = []): string {
  const {
    build: _,
    pull_policy: __,
    depends_on: ___,
    profiles: ____,
    scale: _____,
    attach: ______,
    develop: _______,
    ...rest
  } = renderService(service) as Partial<ProjectService>;
  const { replicas: _replicas, ...deploy } = rest.deploy ?? {};
  return digest({ ...rest, image: service.imageName, deploy, files });
}

export function networkHash(network: Network): string {
  return digest(network);
}

export function volumeHash(volume: Volume): string {
  return digest(volume);
}

function digest(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex');
}

/** JSON with the keys in order, so that the order in a file does not matter. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    const entries: [string, unknown][] = member instanceof Map ? [...member] : Object.entries(member);
    return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  });
}
