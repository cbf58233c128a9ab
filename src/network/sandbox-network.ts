import type { Logger } from '../base/logger.ts';
import { GATEWAY_ADDRESS, isOutside } from './addresses.ts';
import { DnsServer } from './dns-server.ts';
import { Hub } from './hub.ts';
import { openKernel } from './kernel.ts';
import { answerOwn, CLOUD_NAMES } from './names.ts';
import { createOutbound, type Outbound } from './outbound.ts';

/** The ports that the gateway is reached at from inside: those of AWS's URLs, and our own. */
export const GATEWAY_PORTS = [80, 443, 4566] as const;
const DNS_PORT = 53;
const OUTBOUND_PORT = 1;

export interface SandboxNetworkOptions {
  readonly logger: Logger;
  /** Further names (and all below them) that are the gateway. */
  readonly names?: readonly string[];
  /** The DNS servers for all other names; the host's unless told. */
  readonly nameServers?: () => Promise<readonly string[]>;
  /** Decides which addresses sandboxes may connect to; all but this machine's own unless told. */
  readonly isOutside?: (address: string) => boolean;
}

export interface Attachment {
  /** The sandbox's own address. */
  readonly address: string;
  /** Where it finds the gateway (`http://ADDRESS:4566`) and the DNS. */
  readonly gatewayAddress: string;
}

/** The network that sandboxes are in. */
export interface SandboxNetwork {
  readonly gatewayAddress: string;
  /**
   * Listening sockets at the gateway's address, one for each of {@link GATEWAY_PORTS}: `server.listen({ fd })` takes
   * one. What arrives there comes from a sandbox.
   */
  readonly listeners: readonly { readonly port: number; readonly fd: number }[];
  /** One line for each thing that this machine cannot do. */
  readonly missing: readonly string[];
  /** Connects the network namespace of process `pid`. The connection goes when the namespace does. */
  attach(pid: number): Promise<Attachment>;
  close(): Promise<void>;
}

/** Makes one, or answers why this machine cannot have it. */
export async function createSandboxNetwork(options: SandboxNetworkOptions): Promise<SandboxNetwork | string> {
  if (process.getuid?.() !== 0) return 'a network for sandboxes needs root';
  const kernel = openKernel();
  if (!kernel) return 'a network for sandboxes needs Linux and Node 26.1 or newer (node:ffi)';
  let hub: Hub;
  try {
    hub = new Hub(kernel);
  } catch (error) {
    return `the kernel makes no network for sandboxes: ${(error as Error).message}`;
  }
  const listeners = GATEWAY_PORTS.map((port) => ({ port, fd: hub.listenTcp(port) }));
  const names = [...CLOUD_NAMES, ...(options.names ?? [])];
  const dns = await DnsServer.start({
    sockets: { udp: hub.bindUdp(DNS_PORT), tcp: hub.listenTcp(DNS_PORT) },
    answer: (query) => answerOwn(query, names),
    servers: options.nameServers,
  });
  const missing: string[] = [];
  const outbound = await startOutbound(hub, createOutbound(options.logger, options.isOutside ?? isOutside)).catch(
    (error: Error) => {
      missing.push(`the internet from inside functions: ${error.message} (install nftables)`);
      return undefined;
    },
  );
  return {
    gatewayAddress: GATEWAY_ADDRESS,
    listeners,
    missing,
    attach: async (pid) => ({ address: await hub.connect(pid), gatewayAddress: GATEWAY_ADDRESS }),
    async close() {
      await dns.close();
      outbound?.close();
      hub.close();
    },
  };
}

async function startOutbound(hub: Hub, outbound: Outbound): Promise<Outbound> {
  const { server } = outbound;
  const fd = await hub.listenEverywhere(OUTBOUND_PORT);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, () => resolve());
  });
  return outbound;
}
