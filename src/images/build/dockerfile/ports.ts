import { SyntaxProblem } from './dockerfile-error.ts';

const MAXIMUM = 65535;
const PROTOCOLS = ['tcp', 'udp', 'sctp'];

/** `[address:][port]:` before the port: it has no effect. Source: BuildKit's check "ExposeInvalidFormat". */
const MAPPING = /^(?:(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]):)?(?:\d{1,5}(?:-\d{1,5})?)?:(?=[^:]+$)/i;

/** Whether a word of EXPOSE, variables and all, says more than ports of the container. */
export function hasMapping(word: string): boolean {
  return word.replace(/\$\{[^}]*\}/g, '').includes(':');
}

/**
 * Ports of an expanded word of EXPOSE, as `ExposedPorts` has them: `80` is `80/tcp`, `8000-8002/udp` is three, and of `8080:80` the 80 counts. Throws
 * `SyntaxProblem`. Source: "EXPOSE".
 */
export function readPorts(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/i.exec(word.replace(MAPPING, ''));
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  const protocol = (match?.[3] ?? 'tcp').toLowerCase();
  if (match === null || last > MAXIMUM || first > last || !PROTOCOLS.includes(protocol)) {
    throw new SyntaxProblem(`${word.slice(0, 60)} is no port of EXPOSE, such as 80, 53/udp or 8000-8010`);
  }
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${protocol}`);
}
