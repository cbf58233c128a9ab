import type { BuildOptions } from '../builder.ts';

type Secrets = BuildOptions['secrets'];

/**
 * The `Authorization` header for a file that ADD fetches: the secret `HTTP_AUTH_TOKEN_host` is a bearer token, `HTTP_AUTH_HEADER_host`
 * the whole header. Source: "Build secrets", "HTTP authentication for ADD"; that the token goes first, from BuildKit.
 */
export function fileAuthorization(secrets: Secrets, url: URL): string | undefined {
  const token = textOf(secrets, `HTTP_AUTH_TOKEN_${url.hostname}`);
  return token === undefined ? textOf(secrets, `HTTP_AUTH_HEADER_${url.hostname}`) : `Bearer ${token}`;
}

/**
 * The same for a Git repository: `GIT_AUTH_HEADER` is the whole header, `GIT_AUTH_TOKEN` the password of `x-access-token`; those with
 * `.host` at the end go first. Undefined also for what is not reached by http(s). Source: "Build secrets", "Git authentication for remote contexts".
 */
export function gitAuthorization(secrets: Secrets, remote: string): string | undefined {
  if (!/^https?:/i.test(remote) || !URL.canParse(remote)) return undefined;
  const { host, hostname } = new URL(remote);
  for (const suffix of [`.${host}`, `.${hostname}`, '']) {
    const header = textOf(secrets, `GIT_AUTH_HEADER${suffix}`);
    if (header !== undefined) return header;
    const token = textOf(secrets, `GIT_AUTH_TOKEN${suffix}`);
    if (token !== undefined) return `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  }
  return undefined;
}

function textOf(secrets: Secrets, id: string): string | undefined {
  const content = secrets?.get(id);
  return content === undefined ? undefined : Buffer.from(content).toString().trim();
}
