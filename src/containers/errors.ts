import { ServiceError } from '../base/errors.ts';

export const containerNotFound = (name: string) =>
  new ServiceError('ContainerNotFound', `No such container: ${name}`, { status: 404 });

export const notRunning = (id: string) =>
  new ServiceError('NotRunning', `container ${id} is not running`, { status: 409 });

export const invalid = (message: string) => new ServiceError('InvalidContainer', message, { status: 400 });

export const inUse = (message: string) => new ServiceError('ContainerInUse', message, { status: 409 });

export const volumeNotFound = (name: string) =>
  new ServiceError('VolumeNotFound', `get ${name}: no such volume`, { status: 404 });

export const volumeInUse = (name: string, users: readonly string[]) =>
  new ServiceError('VolumeInUse', `remove ${name}: volume is in use - [${users.join(', ')}]`, { status: 409 });

export const execNotFound = (id: string) =>
  new ServiceError('ExecNotFound', `No such exec instance: ${id}`, { status: 404 });
