import { parseArn } from '../../base/arn.ts';
import { ServiceError } from '../../base/errors.ts';
import { constraint, validation } from './errors.ts';
import type { ParameterId } from './records.ts';

/** Source: Systems Manager User Guide, "Requirements and constraints for parameter names". */
const MAX_LEVELS = 15;
/** Counts the ARN's own characters, too. */
const MAX_ARN_LENGTH = 1011;
const SUB_PATHS =
  'If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_';

type Place = Omit<ParameterId, 'name'>;

/** The name's own slash is the one after `parameter`. */
export function parameterArn({ account, region, name }: ParameterId): string {
  return `arn:aws:ssm:${region}:${account}:parameter${name.startsWith('/') ? '' : '/'}${name}`;
}

/**
 * The name of a parameter to be made, without spaces around it. Throws ValidationException, AccessDeniedException for names
 * that belong to AWS, HierarchyLevelLimitExceededException.
 */
export function checkNewName(text: string, place: Place): string {
  const name = text.trim();
  if (name === '') throw constraint(text, 'name', 'Member must have length greater than or equal to 1');
  const bare = name.replace(/^\/+/, '').toLowerCase();
  const isPath = name.lastIndexOf('/') > 0;
  if (isPath && /^aws(\/|$)/.test(bare)) {
    throw new ServiceError('AccessDeniedException', `No access to reserved parameter name: ${name}.`);
  }
  const prefix = /^(aws|ssm)/.exec(bare)?.[1];
  if (prefix !== undefined) {
    throw validation(
      `Parameter name: can't be prefixed with "${prefix}" (case-insensitive).${isPath ? ` ${SUB_PATHS}` : ''}`,
    );
  }
  if (!/^[\w./-]+$/.test(name) || name.includes('//') || name.endsWith('/')) {
    throw validation(`Parameter name: can't be prefixed with "ssm" (case-insensitive). ${SUB_PATHS}`);
  }
  if (name.includes('/') && !name.startsWith('/')) throw validation('Parameter name must be a fully qualified name.');
  if ((name.match(/\//g) ?? []).length > MAX_LEVELS) {
    throw new ServiceError(
      'HierarchyLevelLimitExceededException',
      `A hierarchy can have a maximum of ${MAX_LEVELS} levels: ${name}`,
    );
  }
  if (parameterArn({ ...place, name }).length > MAX_ARN_LENGTH) {
    throw validation(`The ARN of a parameter, its name included, can have ${MAX_ARN_LENGTH} characters at most.`);
  }
  return name;
}

/** Which parameter, and which of its versions, a request names. */
export interface Selected {
  /** In the order in which they are to be looked for: an ARN does not tell whether the name begins with a slash. */
  readonly names: readonly string[];
  /** With its colon, as it is given back. */
  readonly selector: string | undefined;
  readonly version: number | undefined;
  readonly label: string | undefined;
}

/**
 * `name`, `name:version`, `name:label` or the same with an ARN of the caller's account and region; `undefined` when there
 * can be no such parameter.
 */
export function parseSelection(text: string, place: Place): Selected | undefined {
  const arn = parseArn(text);
  if (arn && (arn.service !== 'ssm' || arn.account !== place.account || arn.region !== place.region)) return undefined;
  const resource = arn ? /^parameter(\/.*)$/s.exec(arn.resource)?.[1] : text.trim();
  const match = /^([^:]+)(?::([^:]+))?$/s.exec(resource ?? '');
  if (!match) return undefined;
  const [, name, which] = match as unknown as [string, string, string | undefined];
  const version = which !== undefined && /^\d+$/.test(which) ? Number(which) : undefined;
  return {
    names: arn && name.lastIndexOf('/') === 0 ? [name.slice(1), name] : [name],
    selector: which === undefined ? undefined : `:${which}`,
    version,
    label: version === undefined ? which : undefined,
  };
}

/** The names that a plain name or an ARN may mean, for operations that take no version. */
export function plainNames(text: string, place: Place): readonly string[] {
  const selected = parseSelection(text, place);
  return selected && selected.selector === undefined ? selected.names : [];
}

/** Throws for anything that is no path. A slash at the end is dropped; the root is `/`. */
export function checkPath(path: string): string {
  if (/^\/$|^(\/[\w.-]+)+\/?$/.test(path)) return path === '/' ? path : path.replace(/\/$/, '');
  throw validation(
    'The parameter doesn\'t meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.',
  );
}

/** True when the parameter is below the path: directly, or at any depth. Names without a slash are at the root. */
export function isBelow(name: string, path: string, recursive: boolean): boolean {
  const qualified = name.startsWith('/') ? name : `/${name}`;
  const parent = path === '/' ? '/' : `${path}/`;
  if (!qualified.startsWith(parent)) return false;
  return recursive || !qualified.slice(parent.length).includes('/');
}
