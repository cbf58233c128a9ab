import type { IncomingMessage, ServerResponse } from 'node:http';

/** One of the interfaces behind the front door. */
export interface FrontEnd {
  readonly name: string;
  /** True when this request is for this interface. Cheap: looks at headers and path only. */
  matches(request: IncomingMessage): boolean;
  /** Answers the request, whatever happens. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** One answered request, as the metrics count it. */
export interface RequestObservation {
  /** From a fixed set: a name that the client made up must not become a metric. */
  readonly service: string;
  /** From the service's own operations, `Unknown` for anything else. */
  readonly operation: string;
  readonly status: number;
  readonly durationMs: number;
}

/** What a front end calls once for each request that it has answered. */
export type ObserveRequest = (observation: RequestObservation) => void;
