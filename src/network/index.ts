export { GATEWAY_ADDRESS } from './addresses.ts';
export { type ContainerNetworksOptions, createContainerNetworks } from './bridges/bridge-networks.ts';
export type {
  AddressRange,
  Connected,
  ContainerIdentity,
  ContainerNetworks,
  DeviceTraffic,
  Endpoint,
  EndpointSpec,
  Network,
  NetworkEvent,
  NetworkNamespace,
  NetworkSpec,
  PortRequest,
  PublishedPort,
} from './container-networks.ts';
export {
  CLONE_FS,
  CLONE_NEWNET,
  CLONE_NEWNS,
  type Kernel,
  KernelError,
  keepDescriptorsToOurselves,
  O_PATH,
  openKernel,
} from './kernel.ts';
export {
  type Attachment,
  createSandboxNetwork,
  GATEWAY_PORTS,
  type SandboxNetwork,
  type SandboxNetworkOptions,
} from './sandbox-network.ts';
