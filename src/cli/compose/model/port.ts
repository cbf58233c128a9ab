import { type Cursor, flatList, type Member, noted, object } from './member.ts';
import { choice, scalarText, text } from './values.ts';

/** A published port (https://docs.docker.com/reference/compose-file/services/#ports). */
export interface Port {
  readonly name?: string;
  readonly mode?: 'ingress' | 'host';
  readonly host_ip?: string;
  readonly target: number;
  /** A port or a range of which the first free one is taken; any free port of the machine without it. */
  readonly published?: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly app_protocol?: string;
}

const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
const NO_SCTP = 'is not supported: ports of sctp cannot be published, those of tcp and udp can';

interface PortRange {
  readonly first: number;
  readonly last: number;
}

const long: Member<Port> = object<Port>(
  {
    name: text(),
    mode: choice('ingress', 'host'),
    host_ip: text(),
    target: {
      read: (cursor: Cursor) => {
        const range = parseRange(scalarText(cursor));
        if (range === undefined || range.first !== range.last) cursor.fail('must be a port from 1 to 65535');
        return range.first;
      },
      merge: (_base, over) => over,
    },
    published: {
      read: (cursor: Cursor) => {
        const value = scalarText(cursor);
        if (value === '' || value === '0') return '';
        const range = parseRange(value);
        if (range === undefined) cursor.fail(`must be a port or a range such as 8000-8010, not "${value}"`);
        return showRange(range);
      },
      merge: (_base, over) => over,
    },
    protocol: noted(choice(...PROTOCOLS), '`tcp` or `udp`'),
    app_protocol: text(),
  },
  { required: ['target'] },
);

/** Ports in the short syntax, where a range means several, or in the long one. */
export function ports(): Member<readonly Port[]> {
  return flatList<Port>(
    {
      read: (cursor) => {
        if (cursor.tree.kind === 'scalar') return readShort(scalarText(cursor), cursor);
        const { published, protocol, ...rest } = long.read(cursor);
        if (protocol === 'sctp') cursor.fail(NO_SCTP);
        return [{ ...rest, ...(published ? { published } : {}), protocol: protocol ?? 'tcp' }];
      },
      merge: (_base, over) => over,
      members: long.members,
    },
    // https://docs.docker.com/reference/compose-file/merge/#unique-resources
    ({ host_ip = '', target, published = '', protocol }) => `${host_ip}:${published}:${target}/${protocol}`,
  );
}

/** `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, where ports may be ranges. */
function readShort(value: string, cursor: Cursor): readonly Port[] {
  const wrong = (): never =>
    cursor.fail(`must be [[IP:]HOST:]CONTAINER[/PROTOCOL], such as 8080:80 or 127.0.0.1:53:53/udp, not "${value}"`);
  const match =
    /^(?:(?:(?<ip>\[[0-9a-fA-F:.]+\]|[^:[\]]*):)?(?<host>[\d-]*):)?(?<container>[\d-]+)(?:\/(?<protocol>[a-z]+))?$/.exec(
      value,
    );
  const { ip, host, container = '', protocol = 'tcp' } = match?.groups ?? {};
  const target = parseRange(container);
  const published = host === undefined || host === '' ? undefined : parseRange(host);
  if (target === undefined || (host && published === undefined)) return wrong();
  if (!(PROTOCOLS as readonly string[]).includes(protocol)) return wrong();
  if (protocol === 'sctp') cursor.fail(NO_SCTP);
  const common = {
    mode: 'ingress' as const,
    ...(ip ? { host_ip: ip.replace(/^\[(.*)\]$/, '$1') } : {}),
    protocol: protocol as Port['protocol'],
  };
  const size = target.last - target.first;
  if (published === undefined) return numbers(target).map((port) => ({ ...common, target: port }));
  if (size === 0) return [{ ...common, target: target.first, published: showRange(published) }];
  if (published.last - published.first !== size) cursor.fail(`has ranges of different lengths: "${value}"`);
  return numbers(target).map((port, index) => ({
    ...common,
    target: port,
    published: String(published.first + index),
  }));
}

/** The range of `80` or `8000-8010`; `undefined` when it is none. */
export function parseRange(value: string): PortRange | undefined {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value) ?? [];
  const [first, last] = [Number(from), Number(to)];
  return first >= 1 && last >= first && last <= 65_535 ? { first, last } : undefined;
}

function showRange({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function numbers({ first, last }: PortRange): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Ports that other services reach, without publishing: `3000`, `8000-8010/udp`. */
export function readExposed(cursor: Cursor): string {
  const value = scalarText(cursor);
  const [range = '', protocol, ...rest] = value.split('/');
  const isProtocol = protocol === undefined || (PROTOCOLS as readonly string[]).includes(protocol);
  if (parseRange(range) === undefined || !isProtocol || rest.length > 0)
    cursor.fail(`must be a port or a range with a protocol, such as 3000 or 8000-8010/udp, not "${value}"`);
  return value;
}
