/** The registry of an account in a region. */
export interface EcrRegistryId {
  readonly account: string;
  readonly region: string;
}

const HOST =
  /^(\d{12})\.dkr\.ecr\.([a-z]{2}(?:-[a-z]+)+-\d+)\.(?:amazonaws\.com(?:\.cn)?|localhost(?:\.localstack\.cloud)?)$/;

/** Name of an account's registry, as ECR gives it out. Source: Amazon ECR User Guide, "Amazon ECR private registry". */
export function ecrHost({ account, region }: EcrRegistryId): string {
  return `${account}.dkr.ecr.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/** Reads such a name, or one below `localhost` in its place; without a port. */
export function parseEcrHost(host: string): EcrRegistryId | undefined {
  const match = HOST.exec(host);
  return match ? { account: match[1]!, region: match[2]! } : undefined;
}

/** A repository's complete name: ECR's begin with their registry's. `undefined` for a plain one. */
export function parseEcrRepository(repository: string): (EcrRegistryId & { readonly name: string }) | undefined {
  const slash = repository.indexOf('/');
  const registry = slash < 0 ? undefined : parseEcrHost(repository.slice(0, slash));
  return registry && { ...registry, name: repository.slice(slash + 1) };
}

/** The complete name of a repository of ECR. */
export function ecrRepository(registry: EcrRegistryId, name: string): string {
  return `${ecrHost(registry)}/${name}`;
}
