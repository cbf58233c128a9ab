import {
  attribute,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  interfaceHeader,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  name,
  RTM_NEWLINK,
} from '../netlink.ts';

// Numbers of `linux/if_link.h`, `linux/rtnetlink.h` and `linux/veth.h`.
const RTM_DELLINK = 17;
const RTM_SETLINK = 19;
const IFLA_ADDRESS = 1;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_PROTINFO = 12;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const NESTED = 0x8000;
const AF_BRIDGE = 7;
const AF_INET6 = 10;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const GENERATE_NONE = 1;

/** A pair of connected interfaces, both down: one here, on its own; the other elsewhere. */
export function createCable(cable: {
  readonly name: string;
  readonly peerName: string;
  readonly peerNamespace: number;
}): NetlinkRequest {
  const peer = Buffer.concat([
    interfaceHeader(0, false),
    attribute(IFLA_IFNAME, name(cable.peerName)),
    attribute(IFLA_NET_NS_FD, int32(cable.peerNamespace)),
  ]);
  const info = Buffer.concat([
    attribute(IFLA_INFO_KIND, name('veth')),
    attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer)),
  ]);
  return {
    what: `make interface ${cable.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      interfaceHeader(0, false),
      attribute(IFLA_IFNAME, name(cable.name)),
      attribute(IFLA_LINKINFO, info),
    ]),
  };
}

/** Brings up an interface that only carries packets: it looks for no neighbours of its own, and gets no address. */
export function setUpSilent(device: string): NetlinkRequest {
  return {
    what: `bring ${device} up`,
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([
      interfaceHeader(0, true),
      attribute(IFLA_IFNAME, name(device)),
      attribute(IFLA_AF_SPEC, attribute(AF_INET6, attribute(IFLA_INET6_ADDR_GEN_MODE, Buffer.from([GENERATE_NONE])))),
    ]),
  };
}

/** A bridge that is up. Its MAC address is set, so that it does not change with the interfaces on it. */
export function createBridge(bridge: {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
}): NetlinkRequest {
  return {
    what: `make bridge ${bridge.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: Buffer.concat([
      interfaceHeader(0, true),
      attribute(IFLA_IFNAME, name(bridge.name)),
      attribute(IFLA_ADDRESS, macBytes(bridge.mac)),
      attribute(IFLA_MTU, int32(bridge.mtu)),
      attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, name('bridge'))),
    ]),
  };
}

/** What `ip link` shows beside an interface. */
export function setAlias(device: string, alias: string): NetlinkRequest {
  return change(
    `set alias of ${device}`,
    0,
    attribute(IFLA_IFNAME, name(device)),
    attribute(IFLA_IFALIAS, name(alias)),
  );
}

/** Puts an interface of this namespace on the bridge with the index `bridge`, and brings it up. */
export function putOnBridge(device: string, bridge: number, mtu: number): NetlinkRequest {
  return {
    what: `put ${device} on its bridge`,
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([
      interfaceHeader(0, true),
      attribute(IFLA_IFNAME, name(device)),
      attribute(IFLA_MTU, int32(mtu)),
      attribute(IFLA_MASTER, int32(bridge)),
    ]),
  };
}

/** How a bridge treats one of its interfaces. */
export interface PortMode {
  /** Reaches the bridge's own addresses, and no other interface of it that is isolated too. */
  readonly isolated: boolean;
  /** Packets may leave by the interface that they came from. */
  readonly hairpin: boolean;
}

export function setPortMode(index: number, { isolated, hairpin }: PortMode): NetlinkRequest {
  const header = interfaceHeader(index, false);
  header[0] = AF_BRIDGE;
  const flag = (type: number, on: boolean) => attribute(type, Buffer.from([on ? 1 : 0]));
  return {
    what: `set up interface ${index} on its bridge`,
    type: RTM_SETLINK,
    flags: 0,
    body: Buffer.concat([
      header,
      attribute(
        IFLA_PROTINFO | NESTED,
        Buffer.concat([flag(IFLA_BRPORT_MODE, hairpin), flag(IFLA_BRPORT_ISOLATED, isolated)]),
      ),
    ]),
  };
}

/** Gives an interface its MAC address and greatest packet, and brings it up. */
export function dress(index: number, mac: string, mtu: number): NetlinkRequest {
  return {
    what: `set up interface ${index}`,
    type: RTM_NEWLINK,
    flags: 0,
    body: Buffer.concat([
      interfaceHeader(index, true),
      attribute(IFLA_ADDRESS, macBytes(mac)),
      attribute(IFLA_MTU, int32(mtu)),
    ]),
  };
}

export function removeLink(device: string): NetlinkRequest {
  return {
    what: `remove interface ${device}`,
    type: RTM_DELLINK,
    flags: 0,
    body: Buffer.concat([interfaceHeader(0, false), attribute(IFLA_IFNAME, name(device))]),
  };
}

function change(what: string, index: number, ...attributes: readonly Buffer[]): NetlinkRequest {
  return { what, type: RTM_NEWLINK, flags: 0, body: Buffer.concat([interfaceHeader(index, false), ...attributes]) };
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}
