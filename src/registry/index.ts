export type { EcrRegistry, RepositorySubject } from './ecr-registry.ts';
export { createRegistryFrontEnd } from './front-end.ts';
export type { RegistryServerOptions } from './registry-server.ts';
