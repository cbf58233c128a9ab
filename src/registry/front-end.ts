import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FrontEnd } from '../gateway/index.ts';
import type { RegistryServer, RegistryServerOptions } from './registry-server.ts';

/** Names that are read as AWS's: what is below them is for the services, but for the registries of ECR. */
const AWS_HOST = /\.(?:amazonaws\.com(?:\.cn)?|on\.aws|api\.aws|localhost|localhost\.localstack\.cloud)$/;
const ECR_HOST = /^\d{12}\.dkr\.ecr\./;

/** The OCI Distribution API under `/v2/`, for plain repositories and those of ECR. */
export function createRegistryFrontEnd(options: RegistryServerOptions): FrontEnd {
  let server: Promise<RegistryServer> | undefined;
  return {
    name: 'registry',
    matches,
    handle: (request, response) => {
      server ??= import('./registry-server.ts').then(({ RegistryServer: Server }) => new Server(options));
      server.then(
        (ready) => ready.handle(request, response),
        (error: unknown) => fail(options, response, error),
      );
    },
  };
}

/** API Gateway's paths under `/v2/` are signed; so are S3's, unless the bucket is in the host name. */
function matches({ url = '', headers }: IncomingMessage): boolean {
  if (!/^\/v2(?:[/?]|$)/.test(url)) return false;
  if (/^AWS(?:4-HMAC-SHA256)? /.test(headers.authorization ?? '') || /[?&]X-Amz-Algorithm=/.test(url)) return false;
  const host = (headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
  return !AWS_HOST.test(host) || ECR_HOST.test(host);
}

function fail({ logger }: RegistryServerOptions, response: ServerResponse, error: unknown): void {
  logger.error('the registry cannot be loaded', { error: error instanceof Error ? error.stack : String(error) });
  response.writeHead(500, { 'content-length': '0' }).end();
}
