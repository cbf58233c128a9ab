import { invalidParameter } from './errors.ts';
import type { Scope } from './model.ts';
import type { ImageName } from './ports.ts';

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const THIS_MACHINE = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?\//;

/**
 * Reads the address of a function's image: of ECR, in the function's region, with a tag or digest; others are as Docker reads them.
 * Registries of ECR can be named below `localhost`, too, and after it:
 * `localhost:4566/<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`. InvalidParameterValueException. Source: Lambda
 * Developer Guide, "Create a Lambda function using a container image".
 */
export async function parseImageUri(uri: string, { region }: Pick<Scope, 'region'>): Promise<ImageName> {
  const { ecrRepository, isRepositoryName, parseEcrHost } = await import('../../images/index.ts');
  const [, host = '', path = ''] = /^([^/]+)\/(.*)$/s.exec(uri.replace(THIS_MACHINE, '')) ?? [];
  const registry = parseEcrHost(host.replace(/:\d+$/, ''));
  if (!registry) {
    const [repository = ''] = uri.split('@');
    return { ecr: undefined, repository: repository.replace(/:[^/:]*$/, ''), reference: uri };
  }
  const [, name = '', mark = '', rest = ''] = /^([^:@]*)([:@]?)(.*)$/s.exec(path) ?? [];
  const repository = ecrRepository(registry, name);
  const form = mark === '@' ? DIGEST : TAG;
  if (!isRepositoryName(repository) || (mark !== '' && !form.test(rest))) throw notValid(uri);
  if (mark === '') throw notValid(uri, 'name a tag or a digest');
  if (registry.region !== region) throw notValid(uri, `the function is in ${region}, and its image must be there, too`);
  return { ecr: { ...registry, name }, repository, reference: `${repository}${mark}${rest}` };
}

/** What Lambda says of what cannot be a function's image, and why. */
export function notValid(uri: string, why?: string) {
  const more = why === undefined ? '' : ` (${why})`;
  return invalidParameter(`Source image ${uri.slice(0, 600)} is not valid. Provide a valid source image.${more}`);
}
