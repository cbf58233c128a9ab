import { ServiceError } from '../base/errors.ts';
import type { Principal } from '../services/index.ts';
import type { RegistryAccess } from './access.ts';
import type { RegistryRequest } from './registry-request.ts';
import { json, type Reply } from './reply.ts';
import type { BearerTokens, Grant } from './tokens.ts';

/** Most bytes of a form. */
const MAX_FORM = 64 * 1024;
const MAX_SCOPES = 100;

/** Whom tokens are for when anybody may do anything. */
const ANYBODY: Principal = {
  type: 'Anonymous',
  account: '000000000000',
  arn: '*',
  userId: 'anonymous',
  accessKeyId: undefined,
};

/**
 * Gives tokens to clients that ask for one instead of sending their password each time: GET with Basic credentials, or
 * POST with them in a form. Sources: distribution/distribution, "Token Authentication Specification", "Token Authentication OAuth2".
 * `access` is undefined in open mode.
 */
export async function issueToken(
  tokens: BearerTokens,
  access: RegistryAccess | undefined,
  request: RegistryRequest,
): Promise<Reply> {
  const parameters = request.method === 'POST' ? await readForm(request) : request.query;
  if (request.method === 'POST') useForm(request, parameters);
  const scopes = parameters
    .getAll('scope')
    .flatMap((text) => text.split(' '))
    .filter((text) => text !== '');
  if (scopes.length > MAX_SCOPES) throw unsupported(`a token is for at most ${MAX_SCOPES} scopes`);
  const asked = scopes.map(readScope);
  let principal = ANYBODY;
  let grants: readonly Grant[] = asked;
  if (access) {
    principal = await access.identifyByPassword(request);
    grants = await Promise.all(asked.map((scope) => access.grant(request, principal, scope)));
  }
  const { token, expiresIn, issuedAt } = await tokens.issue(request.host, principal, grants);
  return json(
    {
      token,
      access_token: token,
      expires_in: expiresIn,
      issued_at: new Date(issuedAt).toISOString(),
      scope: grants.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '),
    },
    { 'cache-control': 'no-store' },
  );
}

/** `repository:team/app:pull,push` */
function readScope(text: string): Grant {
  const match = /^(repository|registry)(?:\([a-z]+\))?:([^:]+(?::\d+\/[^:]+)?):([a-z*,_]+)$/.exec(text);
  if (!match) throw unsupported(`"${text.slice(0, 200)}" is not a scope like repository:name:pull,push`);
  return { type: match[1] as Grant['type'], name: match[2]!, actions: match[3]!.split(',') };
}

/** The credentials of a form are looked at like those of a header. */
function useForm(request: RegistryRequest, form: URLSearchParams): void {
  const kind = form.get('grant_type');
  if (kind !== 'password') throw unsupported(`grant type "${kind ?? ''}" is not supported; use "password"`);
  const credentials = `${form.get('username') ?? ''}:${form.get('password') ?? ''}`;
  request.message.headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
}

async function readForm({ message }: RegistryRequest): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_FORM) throw new ServiceError('SIZE_INVALID', 'the form is too large', { status: 413 });
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

const unsupported = (message: string): ServiceError => new ServiceError('UNSUPPORTED', message, { status: 400 });
