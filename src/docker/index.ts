export { createDockerApi, type DockerApi, type DockerApiOptions } from './docker-api.ts';
export type { OpenListener, TlsAddress } from './server/listener.ts';
