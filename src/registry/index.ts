export type { EcrRegistry, RepositorySubject } from './ecr-registry.ts';
export { createRegistryFrontEnd, type RegistryFrontEndOptions } from './front-end.ts';
