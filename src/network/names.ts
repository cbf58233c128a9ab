import { type Answer, decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import { GATEWAY_ADDRESS } from './addresses.ts';

/** Names that are the cloud's: they and everything below them are the gateway. */
export const CLOUD_NAMES = ['amazonaws.com', 'amazonaws.com.cn', 'on.aws', 'api.aws', 'kobune.internal'];

const TTL_SECONDS = 60;
const SERVFAIL = 2;
const AUTHORITATIVE_ANSWER = 1 << 10;
const RECURSION_AVAILABLE = 1 << 7;

/** The answer to `query` if it asks for one of `names`; `undefined` when the outside must be asked. Throws on a broken one. */
export function answerOwn(query: Buffer, names: readonly string[]): Buffer | undefined {
  const packet = decode(query);
  const question = packet.questions?.[0];
  if (packet.type !== 'query' || !question) throw new Error('not a question');
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (!names.some((own) => name === own || name.endsWith(`.${own}`))) return undefined;
  const answers: Answer[] = [];
  // Of other kinds (AAAA, MX, …) there is none: the name exists, without such a record.
  if (question.type === 'A') {
    answers.push({ type: 'A', name: question.name, ttl: TTL_SECONDS, data: GATEWAY_ADDRESS });
  }
  return encode(reply(packet, answers, 0));
}

/** The answer that says that no answer could be had. */
export function failure(query: Buffer): Buffer {
  return encode(reply(decode(query), [], SERVFAIL));
}

function reply(query: Packet, answers: Answer[], code: number): Packet {
  const desired = (query.flags ?? 0) & RECURSION_DESIRED;
  return {
    type: 'response',
    id: query.id ?? 0,
    flags: desired | RECURSION_AVAILABLE | (code === 0 ? AUTHORITATIVE_ANSWER : 0) | code,
    questions: query.questions ?? [],
    answers,
  };
}
