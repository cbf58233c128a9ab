import type { PortRequest, PublishedPort } from '../../network/index.ts';
import { invalid } from '../shapes/shape.ts';
import type { ContainerConfig, HostConfig } from './config-shape.ts';

type Protocol = PortRequest['protocol'];

interface Port {
  readonly port: number;
  readonly protocol: Protocol;
}

/** `80/tcp`, `53/udp` or `80`. */
export function readPort(written: string): Port {
  const [, number, protocol = 'tcp'] = /^(\d{1,5})(?:\/([a-z]+))?$/i.exec(written) ?? [];
  const port = Number(number);
  if (number === undefined || port < 1 || port > 65_535)
    throw invalid(`invalid port specification: "${written.slice(0, 60)}"`);
  const lower = protocol.toLowerCase();
  if (lower !== 'tcp' && lower !== 'udp' && lower !== 'sctp')
    throw invalid(`invalid proto '${protocol}' in "${written}"`);
  return { port, protocol: lower };
}

/** Ports of the configuration, as `80/tcp`, those of bindings included. */
export function exposedPorts(config: ContainerConfig, host: HostConfig): string[] {
  const written = [...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(host.PortBindings ?? {})];
  return [...new Set(written.flatMap(expandRange))].sort(byPort);
}

/** `8000-8002/tcp` is three ports. */
function expandRange(written: string): string[] {
  const [, first, last, rest = '/tcp'] = /^(\d{1,5})-(\d{1,5})(\/[a-z]+)?$/i.exec(written) ?? [];
  if (first === undefined) {
    const { port, protocol } = readPort(written);
    return [`${port}/${protocol}`];
  }
  const [from, to] = [Number(first), Number(last)];
  if (from < 1 || to < from || to > 65_535) throw invalid(`invalid port specification: "${written}"`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}${rest.toLowerCase()}`);
}

function byPort(one: string, other: string): number {
  const [a, b] = [readPort(one), readPort(other)];
  return a.port - b.port || a.protocol.localeCompare(b.protocol);
}

/** What is published: what bindings say and, with `PublishAllPorts`, every other exposed port on a port that is free. */
export function portRequests(exposed: readonly string[], host: HostConfig): PortRequest[] {
  const bindings = host.PortBindings ?? {};
  const bound = Object.entries(bindings).flatMap(([written, list]) => {
    const { port, protocol } = readPort(written);
    const entries = list ?? [];
    // A port with an empty list is exposed only, unless all ports are published.
    const wanted = entries.length === 0 ? (host.PublishAllPorts ? [{ HostIp: '', HostPort: '' }] : []) : entries;
    return wanted.map(({ HostIp, HostPort }): PortRequest => {
      const hostPort = readHostPort(HostPort);
      return {
        containerPort: port,
        protocol,
        ...(HostIp === '' ? {} : { hostIp: HostIp }),
        ...(hostPort === undefined ? {} : { hostPort }),
      };
    });
  });
  if (!host.PublishAllPorts) return bound;
  const named = new Set(Object.keys(bindings).map((written) => JSON.stringify(readPort(written))));
  const others = exposed.map(readPort).filter((port) => !named.has(JSON.stringify(port)));
  return [...bound, ...others.map(({ port, protocol }) => ({ containerPort: port, protocol }))];
}

function readHostPort(written: string): PortRequest['hostPort'] {
  if (written === '' || written === '0') return undefined;
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === undefined || from > to || to > 65_535)
    throw invalid(`invalid port specification: "${written.slice(0, 60)}"`);
  return from === to ? from : { first: from, last: to };
}

type PortMap = Record<string, { readonly HostIp: string; readonly HostPort: string }[] | null>;

/** `NetworkSettings.Ports`: published ports with where they are, exposed ones with `null`. */
export function portMap(
  exposed: readonly string[],
  published: readonly (Omit<PublishedPort, 'hostPort'> & { readonly hostPort: number | string })[],
): PortMap {
  const ports: PortMap = Object.fromEntries(exposed.map((port) => [port, null]));
  for (const { containerPort, protocol, hostIp, hostPort } of published) {
    const key = `${containerPort}/${protocol}`;
    ports[key] = [...(ports[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return ports;
}

/** The ports of a list entry. */
export function portList(exposed: readonly string[], published: readonly PublishedPort[]): object[] {
  const open = published.map(({ containerPort, protocol, hostIp, hostPort }) => ({
    IP: hostIp,
    PrivatePort: containerPort,
    PublicPort: hostPort,
    Type: protocol,
  }));
  const taken = new Set(published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const closed = exposed
    .filter((port) => !taken.has(port))
    .map(readPort)
    .map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol }));
  return [...open, ...closed];
}
