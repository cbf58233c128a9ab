import { ServiceError } from '../../base/errors.ts';

// Texts are those that Docker's clients and their users know.

export const networkNotFound = (name: string) =>
  new ServiceError('NetworkNotFound', `network ${name} not found`, { status: 404 });

export const ambiguousNetwork = (name: string) =>
  new ServiceError('InvalidNetwork', `network ${name} is ambiguous (several IDs begin so)`, { status: 400 });

export const networkNameInUse = (name: string) =>
  new ServiceError('NameInUse', `network with name ${name} already exists`, { status: 409 });

export const networkInUse = (name: string, by: readonly { readonly name: string; readonly id: string }[]) =>
  new ServiceError(
    'NetworkInUse',
    `error while removing network: network ${name} has active endpoints (${by
      .map((container) => `name:"${container.name}" id:"${container.id.slice(0, 12)}"`)
      .join(', ')})`,
    { status: 403 },
  );

export const predefined = (name: string, what: 'removed' | 'created') =>
  what === 'removed'
    ? new ServiceError('NetworkInUse', `${name} is a pre-defined network and cannot be removed`, { status: 403 })
    : new ServiceError('NameInUse', `operation is not permitted on predefined ${name} network`, { status: 403 });

export const subnetOverlap = () =>
  new ServiceError('SubnetOverlap', 'invalid pool request: Pool overlaps with other one on this address space', {
    status: 403,
  });

export const invalidNetwork = (message: string) => new ServiceError('InvalidNetwork', message, { status: 400 });

export const addressInUse = () => new ServiceError('AddressInUse', 'Address already in use', { status: 403 });

export const noAddressLeft = (network: string) =>
  new ServiceError('AddressInUse', `no available IPv4 addresses on this network's address pools: ${network}`, {
    status: 403,
  });

/** `BR_MAX_PORTS` of the kernel's `net/bridge/br_private.h`. */
export const networkFull = (networks: readonly string[]) =>
  new ServiceError('AddressInUse', `network ${networks.join(' or ')} is full: a bridge takes 1,023 containers`, {
    status: 403,
  });

export const endpointExists = (container: string, network: string) =>
  new ServiceError('EndpointExists', `endpoint with name ${container} already exists in network ${network}`, {
    status: 403,
  });

export const notConnected = (container: string, network: string) =>
  new ServiceError('NotConnected', `container ${container} is not connected to network ${network}`, { status: 404 });

export const portInUse = (container: string, endpoint: string, detail: string) =>
  new ServiceError(
    'PortInUse',
    `driver failed programming external connectivity on endpoint ${container} (${endpoint}): ${detail}`,
    { status: 500 },
  );

/** What this machine cannot do. */
export const networksUnavailable = (reason: string) =>
  new ServiceError('NetworksUnavailable', `container networks cannot be had here: ${reason}`, { status: 500 });
