import { SyntaxProblem } from './dockerfile-error.ts';

const MAXIMUM = 65535;
const PROTOCOLS = ['tcp', 'udp', 'sctp'];

/**
 * Ports of an expanded word of EXPOSE, as `ExposedPorts` has them: `80` is `80/tcp`, `8000-8002/udp` is three. Throws
 * `SyntaxProblem`. Source: "EXPOSE".
 */
export function readPorts(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  const protocol = (match?.[3] ?? 'tcp').toLowerCase();
  if (match === null || last > MAXIMUM || first > last || !PROTOCOLS.includes(protocol)) {
    const publishes = word.includes(':') ? '. EXPOSE maps no ports to the host: docker run -p does' : '';
    throw new SyntaxProblem(`${word.slice(0, 60)} is no port of EXPOSE, such as 80, 53/udp or 8000-8010${publishes}`);
  }
  return Array.from({ length: last - first + 1 }, (_, offset) => `${first + offset}/${protocol}`);
}
