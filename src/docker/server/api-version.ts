import { ServiceError } from '../../base/errors.ts';

/** Versions of the Docker Engine API that are spoken, by their minor number: 1.24 to 1.48. */
export const NEWEST_API = 48;
export const OLDEST_API = 24;

const PREFIX = /^\/v([0-9.]+)(?=\/|$)/;

/**
 * Splits `/v1.41/containers/json` into 41 and the path; without a prefix the newest version is meant. Throws what dockerd says of
 * versions that it does not speak, on which clients act. Source: "API versions and SDKs" and "Versioning" of the Docker Engine API.
 */
export function splitVersion(path: string): { readonly api: number; readonly path: string } {
  const [prefix, version] = PREFIX.exec(path) ?? [];
  if (prefix === undefined || version === undefined) return { api: NEWEST_API, path };
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 1 || (major === 1 && minor > NEWEST_API)) {
    throw new ServiceError(
      'InvalidParameter',
      `client version ${version} is too new. Maximum supported API version is 1.${NEWEST_API}`,
    );
  }
  if (major < 1 || minor < OLDEST_API) {
    throw new ServiceError(
      'InvalidParameter',
      `client version ${version} is too old. Minimum supported API version is 1.${OLDEST_API}, please upgrade your client to a newer version`,
    );
  }
  return { api: minor, path: path.slice(prefix.length) || '/' };
}
