import type { HttpBinding, LoadedModel, OperationModel } from '../schema/model.ts';
import type { WireRequest } from './wire-request.ts';

/** One operation at the end of a path template. */
interface Candidate {
  readonly name: string;
  /** Query parameters in the template; `undefined` value: must be there, whatever its value. */
  readonly literals: readonly (readonly [string, string])[];
  /** `x-id`, a hint by newer SDKs that the service itself does not need. */
  readonly hint: string | undefined;
  /** Greedy label: number of segments after it. */
  readonly suffix: readonly string[];
}

class Node {
  readonly literals = new Map<string, Node>();
  label: Node | undefined;
  /** By method. */
  readonly ends = new Map<string, Candidate[]>();
  /** A label that takes the rest of the path. */
  readonly greedy = new Map<string, Candidate[]>();
}

export interface UriMatch {
  readonly operation: OperationModel;
  readonly labels: readonly string[];
}

/**
 * Finds the operation of a REST request. Precompiled tree of path segments; literal segments go before labels, labels
 * before greedy ones. Operations that share method and path are told apart by query parameters and headers that
 * they require: the one that asks for most of what is there wins. Source: Smithy specification, "HTTP binding traits".
 */
export class UriRouter {
  readonly #root = new Node();
  readonly #model: LoadedModel;

  constructor(model: LoadedModel) {
    this.#model = model;
    for (const [name, http] of model.httpBindings()) this.#add(name, http);
  }

  /** `path`: percent-encoded. `undefined` when no template fits. */
  match(request: WireRequest, path: string): UriMatch | undefined {
    const segments = path.split('/').slice(1);
    const labels: string[] = [];
    return this.#walk(this.#root, segments, 0, labels, request);
  }

  #add(name: string, http: HttpBinding): void {
    const [path, search] = http.uri.split('?', 2) as [string, string | undefined];
    const segments = path.split('/').slice(1);
    const parameters = (search ?? '').split('&').filter((parameter) => parameter !== '');
    const literals = parameters
      .map((parameter) => parameter.split('=', 2))
      .map(([key, value]) => [key!, value ?? ''] as const);
    const greedyAt = segments.findIndex((segment) => segment.endsWith('+}'));
    const candidate: Candidate = {
      name,
      literals: literals.filter(([key]) => key !== 'x-id'),
      hint: literals.find(([key]) => key === 'x-id')?.[1],
      suffix: greedyAt < 0 ? [] : segments.slice(greedyAt + 1),
    };
    let node = this.#root;
    for (const segment of greedyAt < 0 ? segments : segments.slice(0, greedyAt)) {
      if (segment.startsWith('{')) {
        node.label ??= new Node();
        node = node.label;
      } else if (segment !== '') {
        let next = node.literals.get(segment);
        if (!next) {
          next = new Node();
          node.literals.set(segment, next);
        }
        node = next;
      }
    }
    const ends = greedyAt < 0 ? node.ends : node.greedy;
    const candidates = ends.get(http.method);
    if (candidates) candidates.push(candidate);
    else ends.set(http.method, [candidate]);
  }

  #walk(node: Node, segments: string[], index: number, labels: string[], request: WireRequest): UriMatch | undefined {
    // A trailing slash means nothing: older clients send `/2015-03-31/functions/`.
    if (index === segments.length || (index === segments.length - 1 && segments[index] === '')) {
      const found = this.#choose(node.ends.get(request.method), request, []);
      if (found) return { operation: found, labels: [...labels] };
      if (index === segments.length) return undefined;
    }
    const segment = segments[index]!;
    const literal = node.literals.get(segment);
    if (literal) {
      const found = this.#walk(literal, segments, index + 1, labels, request);
      if (found) return found;
    }
    if (node.label && segment !== '') {
      labels.push(segment);
      const found = this.#walk(node.label, segments, index + 1, labels, request);
      if (found) return found;
      labels.pop();
    }
    const rest = segments.slice(index);
    if (rest.length === 1 && segment === '') return undefined;
    const greedy = this.#choose(node.greedy.get(request.method), request, rest);
    if (!greedy) return undefined;
    const { suffix } = node.greedy.get(request.method)!.find((candidate) => candidate.name === greedy.name)!;
    return { operation: greedy, labels: [...labels, rest.slice(0, rest.length - suffix.length).join('/')] };
  }

  #choose(
    candidates: Candidate[] | undefined,
    request: WireRequest,
    rest: readonly string[],
  ): OperationModel | undefined {
    if (!candidates) return undefined;
    if (
      !this.#model.service.s3 &&
      candidates.length === 1 &&
      candidates[0]!.literals.length === 0 &&
      candidates[0]!.suffix.length === 0
    ) {
      return this.#model.operation(candidates[0]!.name);
    }
    let best: OperationModel | undefined;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (const candidate of candidates) {
      const operation = this.#model.operation(candidate.name)!;
      const score = this.#score(candidate, operation, request, rest);
      if (score > bestScore) {
        best = operation;
        bestScore = score;
      }
    }
    return best;
  }

  /** How well a candidate fits, minus infinity if it does not at all. */
  #score(candidate: Candidate, operation: OperationModel, request: WireRequest, rest: readonly string[]): number {
    const { query } = request;
    if (this.#model.service.s3 && operation.input?.byName.has('Bucket') === (request.bucket === undefined))
      return misfit;
    let score = 0;
    if (candidate.suffix.length > 0) {
      if (rest.length <= candidate.suffix.length) return misfit;
      if (candidate.suffix.some((part, i) => rest[rest.length - candidate.suffix.length + i] !== part)) return misfit;
      score += 1000;
    }
    for (const [key, value] of candidate.literals) {
      const given = query.get(key);
      if (!given || (value !== '' && !given.includes(value))) return misfit;
      score += 100;
    }
    for (const member of operation.input?.members ?? []) {
      if (!member.required) continue;
      if (typeof member.traits.httpQuery === 'string') {
        score += query.has(member.traits.httpQuery) ? 100 : -50;
      } else if (typeof member.traits.httpHeader === 'string') {
        if (request.header(member.traits.httpHeader.toLowerCase()) !== undefined) score += 100;
        else if (identifyingHeaders.has(member.traits.httpHeader.toLowerCase())) return misfit;
      }
    }
    if (candidate.hint !== undefined && query.get('x-id')?.[0] === candidate.hint) score += 1;
    // S3 has no operation for, say, a POST to a key without `uploadId`; elsewhere it is the input that is wrong.
    return score < 0 && this.#model.service.s3 ? misfit : score;
  }
}

const misfit = Number.NEGATIVE_INFINITY;

/** Required headers by which S3 tells two operations apart; other required headers that lack are the input's error. */
const identifyingHeaders: ReadonlySet<string> = new Set(['x-amz-copy-source', 'x-amz-rename-source']);
